/** What a part of a form says about itself. */
export interface PartHead {
  readonly name: string;
  /** Null for a plain field. */
  readonly fileName: string | null;
  readonly contentType: string | null;
}

export interface PartSink {
  write(bytes: Uint8Array): void;
  end(): void;
}

/** Longest head of a part. */
const HEAD_BYTES_MAX = 16 * 1024;

/** Takes a `multipart/form-data` body apart while it arrives, and holds no more of it than a line. */
export class MultipartReader {
  readonly #delimiter: Buffer;
  readonly #open: (head: PartHead) => PartSink;
  #pending: Buffer = Buffer.from('\r\n'); // the first delimiter has no line before it
  #state: 'preamble' | 'delimiter' | 'head' | 'content' | 'end' = 'preamble';
  #sink: PartSink | null = null;

  constructor(boundary: string, open: (head: PartHead) => PartSink) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
    this.#open = open;
  }

  /** Throws MultipartMalformed. */
  write(bytes: Uint8Array): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#advance());
  }

  /** Throws MultipartMalformed where the closing delimiter has not come. */
  finish(): void {
    if (this.#state !== 'end') throw new MultipartMalformed('the form ends early');
  }

  /** False where more bytes are needed. */
  #advance(): boolean {
    switch (this.#state) {
      case 'preamble':
      case 'content': {
        const at = this.#pending.indexOf(this.#delimiter);
        // a delimiter may have begun at the end of what is here
        const sure = at >= 0 ? at : Math.max(0, this.#pending.length - this.#delimiter.length + 1);
        this.#sink?.write(this.#pending.subarray(0, sure));
        this.#pending = this.#pending.subarray(at >= 0 ? at + this.#delimiter.length : sure);
        if (at < 0) return false;
        this.#sink?.end();
        this.#sink = null;
        this.#state = 'delimiter';
        return true;
      }
      case 'delimiter': {
        if (this.#pending.length < 2) return false;
        const isLast = this.#pending.subarray(0, 2).toString('latin1') === '--';
        this.#pending = this.#pending.subarray(2);
        this.#state = isLast ? 'end' : 'head';
        return true;
      }
      case 'head': {
        const at = this.#pending.indexOf('\r\n\r\n');
        if (at < 0) {
          if (this.#pending.length > HEAD_BYTES_MAX)
            throw new MultipartMalformed('the head of a part is too long');
          return false;
        }
        this.#sink = this.#open(headOf(this.#pending.subarray(0, at).toString('utf8')));
        this.#pending = this.#pending.subarray(at + 4);
        this.#state = 'content';
        return true;
      }
      case 'end':
        this.#pending = Buffer.alloc(0);
    }
    return false;
  }
}

export class MultipartMalformed extends Error {}

/** The boundary that a content type names; null where it is no form. */
export function boundaryOf(contentType: string | undefined): string | null {
  const match = /^multipart\/form-data\s*;.*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  return match === null ? null : (match[1] ?? match[2]!);
}

function headOf(text: string): PartHead {
  const headers = new Map(
    text.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const disposition = headers.get('content-disposition') ?? '';
  const name = parameter(disposition, 'name');
  if (name === null) throw new MultipartMalformed('a part has no name');
  return {
    name,
    fileName: parameter(disposition, 'filename'),
    contentType: headers.get('content-type') ?? null,
  };
}

function parameter(disposition: string, name: string): string | null {
  const match = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(disposition);
  return match === null ? null : match[1]!.replace(/\\(.)/g, '$1').replaceAll('%22', '"');
}
