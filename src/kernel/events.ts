import type { ErrorCode } from './errors.ts';

/** What a long operation is busy with. */
export type Phase =
  | 'scan' // reading the source
  | 'read-back' // reading stored bytes again before commit
  | 'verify' // reading stored bytes and comparing them with the manifest
  | 'read-target' // reading the restore's target
  | 'keep' // storing what a restore will write over
  | 'apply' // writing to the target
  | 'compare' // reading the target again after a restore
  | 'export'
  | 'examine' // reading a file of the predecessor
  | 'convert'; // writing it as an archive of ours

/**
 * Everything that an operation says while it runs; progress bars, logs and JSON lines are drawn from these alone.
 * `object` is a collection or a backup id. `done` and `total` count `unit`; a total that nobody knows is left out.
 */
export type OperationEvent =
  | {
      readonly type: 'run:started';
      readonly operation: string;
      readonly run_id?: string;
      readonly objects: readonly string[];
    }
  | { readonly type: 'object:started'; readonly object: string }
  | {
      readonly type: 'progress';
      readonly object: string;
      readonly phase: Phase;
      readonly unit: 'documents' | 'bytes';
      readonly done: number;
      readonly total?: number;
      /** Bytes of JSON handled so far, where `unit` is documents. */
      readonly bytes?: number;
    }
  /** What reading an object will take, roughly; only where that is known, and once the first documents have come. */
  | {
      readonly type: 'estimate';
      readonly object: string;
      readonly documents: number;
      /** Of JSON. */
      readonly bytes: number;
      readonly requests: number;
      readonly seconds: number;
    }
  | { readonly type: 'object:finished'; readonly object: string; readonly outcome: string }
  | {
      readonly type: 'object:failed';
      readonly object: string;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | { readonly type: 'warning'; readonly object?: string; readonly code: string; readonly message: string };

export type OnEvent = (event: OperationEvent) => void;

/** What every operation takes beside its own options. */
export interface OperationContext {
  readonly signal?: AbortSignal;
  readonly onEvent?: OnEvent;
}
