import {
  emptyAnswer,
  errorAnswer,
  jsonAnswer,
  Refusal,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import type { StoredObject } from './objects.ts';
import type { Route } from './route.ts';
import type { Storage } from './storage.ts';

/** Dialect B's object storage below `{base}` (zerodb-protocol §11.1): objects are addressed by ids of the server. */
export class StorageB {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** @param rest the decoded parts of the path behind the base */
  route(request: SandboxRequest, rest: readonly string[]): Route | null {
    if (!this.#storage.behaviour.served) return null;
    const [root, id, action, ...more] = rest;
    if (root === 'storage' && id === 'upload' && action === undefined) {
      return { pattern: '{base}/storage/upload', name: null, methods: { POST: () => this.#upload(request) } };
    }
    if (root !== 'files' || more.length > 0) return null;
    if (id === undefined) {
      return { pattern: '{base}/files', name: null, methods: { GET: () => this.#list(request) } };
    }
    if (action === undefined) {
      const methods = {
        GET: () => jsonAnswer(200, JSON.stringify(entry(this.#found(id)))),
        DELETE: () => this.#remove(id),
      };
      return { pattern: '{base}/files/{id}', name: null, methods };
    }
    if (action !== 'download') return null;
    return {
      pattern: '{base}/files/{id}/download',
      name: null,
      methods: { GET: () => this.#download(request, id) },
    };
  }

  #upload(request: SandboxRequest): SandboxResponse {
    const keyOf = ({ fields }: { fields: ReadonlyMap<string, string> }) => fields.get('key') ?? null;
    return this.#storage.upload(request, keyOf, entry);
  }

  #list(request: SandboxRequest): SandboxResponse {
    const { objects, total } = this.#storage.page(request);
    const files = objects.map(entry);
    return jsonAnswer(200, JSON.stringify(total === null ? files : { files, total }));
  }

  #download(request: SandboxRequest, id: string): SandboxResponse {
    const object = this.#found(id);
    switch (this.#storage.behaviour.downloads) {
      case 'bytes':
        return this.#storage.download(request, object);
      case 'address':
        return jsonAnswer(200, JSON.stringify({ download_url: this.#storage.signedAddress(object) }));
      case 'redirect':
        return {
          status: 307,
          headers: { location: this.#storage.signedAddress(object) },
          body: new Uint8Array(0),
        };
      case 'base64': {
        const content = Buffer.concat([...this.#storage.objects.read(object, 0, object.size)]).toString(
          'base64',
        );
        return jsonAnswer(200, JSON.stringify({ ...entry(object), content }));
      }
    }
  }

  #remove(id: string): SandboxResponse {
    this.#storage.objects.remove(this.#found(id));
    return emptyAnswer;
  }

  #found(id: string): StoredObject {
    const object = this.#storage.objects.withId(id);
    if (object === undefined) throw new Refusal(errorAnswer(404, 'File not found', 'FILE_NOT_FOUND'));
    return object;
  }
}

function entry({ id, name, size, contentType, metadata, createdAt }: StoredObject): object {
  return {
    file_id: id,
    file_key: name,
    file_name: name.slice(name.lastIndexOf('/') + 1),
    size_bytes: size,
    content_type: contentType,
    file_metadata: metadata,
    created_at: createdAt,
    updated_at: createdAt,
  };
}
