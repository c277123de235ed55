import type { BlockBatch } from '../../../archive/reader.ts';
import type { DocumentShape } from '../../../model/document.ts';
import { payload } from '../../../model/shape.ts';

/** More is not sent in one call, unless it is one document. */
const GROUP_BYTES_MAX = 1 << 20;

/** A document that is to be inserted, and its ACTION record. */
export interface Insert {
  readonly batch: BlockBatch;
  readonly index: number;
  readonly action: Buffer;
  readonly text: Uint8Array;
}

/** Gathers inserts for calls that take many. */
export class InsertGroups {
  readonly #max: number;
  readonly #shape: DocumentShape;
  #group: Insert[] = [];
  #bytes = 0;

  /** @param max documents of one call */
  constructor(max: number, shape: DocumentShape) {
    this.#max = max;
    this.#shape = shape;
  }

  /** Takes an insert; what has to be sent before it, null if there is still room. */
  add(batch: BlockBatch, index: number, action: Buffer): readonly Insert[] | null {
    const text = payload(batch, index, this.#shape);
    const isFull = this.#group.length === this.#max || this.#bytes + text.length > GROUP_BYTES_MAX;
    const full = isFull && this.#group.length > 0 ? this.rest() : null;
    this.#group.push({ batch, index, action, text });
    this.#bytes += text.length;
    return full;
  }

  /** What was taken and not handed out. */
  rest(): readonly Insert[] {
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    return group;
  }
}
