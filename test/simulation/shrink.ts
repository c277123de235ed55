import { type Life, live } from './life.ts';

/** Rounds that the violation of a life does not need. */
export async function shrink({ settings, violation }: Life): Promise<ReadonlySet<number>> {
  let without = new Set<number>();
  for (let number = 0; number < settings.rounds; number++) {
    const fewer = new Set([...without, number]);
    const life = await live(settings, { without: fewer });
    if (life.violation !== null && promiseOf(life.violation) === promiseOf(violation!)) without = fewer;
  }
  return without;
}

/**
 * Which promise was broken, and of what: the message without that which other rounds change, as there are times in
 * ids, counts, and the bytes of documents.
 */
export function promiseOf({ name, message }: Error): string {
  const [line] = message.split(/\n|[{[]/);
  return `${name}: ${line!.replaceAll(/\d+/g, '#')}`;
}
