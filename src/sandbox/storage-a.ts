import { errorAnswer, jsonAnswer, Refusal, type SandboxRequest, type SandboxResponse } from './message.ts';
import type { StoredObject } from './objects.ts';
import type { Route } from './route.ts';
import type { Storage } from './storage.ts';

/** Dialect A's object storage, `/storage/…` (zerodb-protocol §6): objects are addressed by their names. */
export class StorageA {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  route(request: SandboxRequest, segments: readonly string[]): Route | null {
    const [root, what, ...rest] = segments;
    if (root !== 'storage' || what === undefined || !this.#storage.behaviour.served) return null;
    const name = rest.join('/');
    if (name === '') {
      if (what === 'upload') {
        return { pattern: '/storage/upload', name: null, methods: { POST: () => this.#upload(request) } };
      }
      if (what !== 'list') return null;
      return { pattern: '/storage/list', name: null, methods: { GET: () => this.#list(request) } };
    }
    const pattern = `/storage/${what}/{name}`;
    switch (what) {
      case 'download':
        return {
          pattern,
          name: null,
          methods: { GET: () => this.#storage.download(request, this.#found(name)) },
        };
      case 'metadata':
        return { pattern, name: null, methods: { GET: () => this.#metadata(name) } };
      case 'delete':
        return { pattern, name: null, methods: { DELETE: () => this.#remove(name) } };
      default:
        return null;
    }
  }

  #upload(request: SandboxRequest): SandboxResponse {
    return this.#storage.upload(
      request,
      ({ fields, file }) => fields.get('path') ?? fields.get('key') ?? file!.head.fileName,
      ({ name, size, contentType }) => ({
        object_name: name,
        url: `/storage/download/${name}`,
        size,
        content_type: contentType,
      }),
    );
  }

  #list(request: SandboxRequest): SandboxResponse {
    const { objects, total } = this.#storage.page(request);
    const listed = objects.map(({ name, size }) => ({ name, size }));
    return jsonAnswer(200, JSON.stringify({ objects: listed, ...(total !== null && { total }) }));
  }

  #metadata(name: string): SandboxResponse {
    const { size, contentType, createdAt, metadata } = this.#found(name);
    const facts = { name, size, content_type: contentType, created_at: createdAt, metadata };
    return jsonAnswer(200, JSON.stringify(facts));
  }

  #remove(name: string): SandboxResponse {
    this.#storage.objects.remove(this.#found(name));
    return jsonAnswer(200, JSON.stringify({ success: true, object_name: name }));
  }

  #found(name: string): StoredObject {
    const object = this.#storage.objects.named(name);
    if (object === undefined) throw new Refusal(errorAnswer(404, `Object not found: ${name}`));
    return object;
  }
}
