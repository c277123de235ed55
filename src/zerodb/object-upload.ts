import type { BodyStream, HttpResponse } from '../kernel/http.ts';
import { randomHex } from '../kernel/random.ts';
import type { ZerodbClient } from './client.ts';
import type { ObjectDialect } from './object-dialect.ts';

/** Sends an object as a form. A lost answer is thrown as HttpFailure: nobody knows whether it is there. */
export async function uploadObject(
  client: ZerodbClient,
  dialect: ObjectDialect,
  key: string,
  content: BodyStream,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  const boundary = `zerodb-backup-${randomHex(client.platform.random, 16)}`;
  const metadata = { created_by: `zerodb-backup/${client.platform.host.toolVersion}`, size: content.length };
  const fields = Object.entries({ ...dialect.uploadFields(key), metadata: JSON.stringify(metadata) });
  // keys hold no quotes and no line ends; some servers take the file's name for the object's
  const parts = [
    ...fields.map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    ),
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${key}"\r\n`,
    'Content-Type: application/octet-stream\r\n\r\n',
  ];
  const head = Buffer.from(parts.join(''));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const body: BodyStream = {
    length: head.length + content.length + tail.length,
    async *pieces() {
      yield head;
      yield* content.pieces();
      yield tail;
    },
  };
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  const request = { method: 'POST', ...dialect.upload, headers, body, repeatable: false, signal } as const;
  return await client.send(request, { task: `upload ${key}`, object: key });
}
