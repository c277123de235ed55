import type { Documents } from './documents.ts';
import {
  errorAnswer,
  fieldAnswer,
  jsonAnswer,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import type { StorageBehaviour } from './misbehaviour.ts';
import { boundaryOf } from './multipart.ts';
import type { Objects, StoredObject } from './objects.ts';
import { queryInteger } from './request-body.ts';
import type { Route } from './route.ts';
import { Upload } from './uploads.ts';

const LIMIT_DEFAULT = 100;
/** Longer bodies are sent in pieces. */
const WHOLE_BYTES_MAX = 1 << 20;
const SIGNED_ROOT = 'signed';
const SIGNATURE = 'c2lnbmVkIGJ5IHRoZSBzYW5kYm94';

/** What both dialects of the object storage (zerodb-protocol §6, §11.1) do in the same way. */
export class Storage {
  readonly objects: Objects;
  readonly #documents: Documents;

  constructor(objects: Objects, documents: Documents) {
    this.objects = objects;
    this.#documents = documents;
  }

  get behaviour(): StorageBehaviour {
    return this.#documents.misbehaviour.storage;
  }

  /** Somewhere for the body of an upload; null for any other request. */
  receiver({ method, path, headers }: Pick<SandboxRequest, 'method' | 'path' | 'headers'>): Upload | null {
    const boundary = boundaryOf(headers['content-type']);
    if (method !== 'POST' || boundary === null || !path.endsWith('/storage/upload')) return null;
    return new Upload(this.objects, boundary, () =>
      this.objects.receive(this.#documents.newKey(), this.#documents.time),
    );
  }

  /** Keeps what was uploaded, under the name that `nameOf` finds, and says so as `told` does. */
  upload(
    request: SandboxRequest,
    nameOf: (upload: Upload) => string | null,
    told: (object: StoredObject) => object,
  ): SandboxResponse {
    const upload = (request.received as Upload | undefined) ?? this.#receivedWhole(request);
    upload?.finish();
    if (upload === null || upload.file === null) {
      return fieldAnswer('body', 'file', 'field required', 'value_error.missing');
    }
    if (upload.trouble !== null)
      return errorAnswer(400, `There was an error parsing the body: ${upload.trouble}`);
    const name = nameOf(upload);
    if (name === null || name === '')
      return fieldAnswer('body', 'key', 'field required', 'value_error.missing');
    const { quotaBytes, quotaStatus, sameName } = this.behaviour;
    const earlier = this.objects.named(name);
    if (quotaBytes !== null && this.#bytesHeld + upload.file.object.size > quotaBytes) {
      return errorAnswer(quotaStatus, 'Storage quota exceeded for this project');
    }
    if (earlier !== undefined && sameName === 'refused')
      return errorAnswer(409, `File already exists: ${name}`);
    const { head, object } = upload.file;
    const stored = this.objects.show(object, {
      name,
      contentType: head.contentType ?? 'application/octet-stream',
      metadata: upload.fields.get('metadata') ?? null,
    });
    upload.keep();
    if (earlier !== undefined && sameName === 'replaces') this.objects.remove(earlier);
    return jsonAnswer(201, JSON.stringify(told(stored)));
  }

  /** A page of the list as its query asks for it, within what the behaviour allows. */
  page(request: SandboxRequest): { objects: StoredObject[]; total: number | null } {
    const { ignored, listClamp, listLimitMax, total } = this.behaviour;
    const integer = (
      name: 'offset' | 'skip' | 'limit',
      least: number,
      fallback: number,
      most = Number.MAX_SAFE_INTEGER,
    ): number => (ignored.includes(name) ? fallback : queryInteger(request, name, { least, most, fallback }));
    const limit = Math.min(listClamp, integer('limit', 1, LIMIT_DEFAULT, listLimitMax));
    const offset = Math.max(integer('offset', 0, 0), integer('skip', 0, 0));
    const prefix = ignored.includes('prefix') ? '' : (request.query.get('prefix') ?? '');
    const all = this.objects.list(prefix);
    const objects = all.slice(offset, offset + limit);
    return { objects, total: total === 'missing' ? null : total === 'page' ? objects.length : all.length };
  }

  /** The bytes, or the part of them that the request asks for. */
  download(request: SandboxRequest, object: StoredObject): SandboxResponse {
    const { size } = object;
    const headers = { 'content-type': object.contentType };
    const range = this.behaviour.ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') : null;
    if (range === null) return { status: 200, headers, ...this.#bytes(object, 0, size) };
    const start = Number(range[1]);
    const end = range[2] === '' ? size : Math.min(size, Number(range[2]) + 1);
    if (start >= end) {
      return {
        ...errorAnswer(416, 'Range not satisfiable'),
        headers: { 'content-range': `bytes */${size}` },
      };
    }
    const partHeaders = { ...headers, 'content-range': `bytes ${start}-${end - 1}/${size}` };
    return { status: 206, headers: partHeaders, ...this.#bytes(object, start, end) };
  }

  /** Where the bytes can be had without credentials. */
  signedAddress({ id }: StoredObject): string {
    return `${this.behaviour.signedOrigin}/${SIGNED_ROOT}/${id}?signature=${SIGNATURE}`;
  }

  /** Signed addresses, which take no credentials beside the signature. */
  signedRoute(request: SandboxRequest, segments: readonly string[]): Route | null {
    const [root, id, ...more] = segments;
    if (root !== SIGNED_ROOT || id === undefined || more.length > 0) return null;
    const answer = (): SandboxResponse => {
      if (request.headers.authorization !== undefined || request.headers['x-api-key'] !== undefined) {
        return errorAnswer(400, 'Only one auth mechanism allowed');
      }
      const object = this.objects.withId(id);
      if (request.query.get('signature') !== SIGNATURE) return errorAnswer(403, 'SignatureDoesNotMatch');
      return object === undefined ? errorAnswer(404, 'NoSuchKey') : this.download(request, object);
    };
    return { pattern: '/signed/{id}', name: null, methods: { GET: answer }, open: true };
  }

  get #bytesHeld(): number {
    return this.objects.list('').reduce((sum, { size }) => sum + size, 0);
  }

  #receivedWhole(request: SandboxRequest): Upload | null {
    const upload = this.receiver(request);
    upload?.write(request.body);
    return upload;
  }

  #bytes(object: StoredObject, start: number, end: number): Pick<SandboxResponse, 'body' | 'stream'> {
    const pieces = this.objects.read(object, start, end);
    const length = end - start;
    if (length <= WHOLE_BYTES_MAX) return { body: Buffer.concat([...pieces]) };
    return { body: new Uint8Array(0), stream: { length, pieces } };
  }
}
