import type { BodySink } from './http.ts';

/**
 * What `run` gives to its sink, as it is pulled: it waits with each piece until the next one is wanted. Where the
 * receiver leaves early, the signal of `run` is aborted.
 */
export async function* pulled(
  run: (sink: BodySink, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const leaving = new AbortController();
  const stop = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
  let offered: { readonly piece: Uint8Array; readonly take: () => void } | null = null;
  let outcome: { readonly failure?: unknown } | null = null;
  let wake: () => void = () => {};
  const offer = (piece: Uint8Array): Promise<void> =>
    new Promise((take) => {
      offered = { piece, take };
      wake();
    });
  const running = run(offer, stop).then(
    () => {
      outcome = {};
      wake();
    },
    (failure: unknown) => {
      outcome = { failure };
      wake();
    },
  );
  const next = (): typeof offered => offered;
  const end = (): typeof outcome => outcome;
  try {
    for (;;) {
      const piece = next();
      if (piece !== null) {
        offered = null;
        try {
          yield piece.piece;
        } finally {
          piece.take();
        }
        continue;
      }
      const ended = end();
      if (ended !== null) {
        if ('failure' in ended) throw ended.failure;
        return;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    leaving.abort();
    next()?.take();
    await running;
  }
}
