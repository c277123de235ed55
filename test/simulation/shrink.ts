import { type Life, live } from './life.ts';

/** Rounds that the violation of a life does not need. */
export async function shrink({ settings, violation }: Life): Promise<ReadonlySet<number>> {
  let without = new Set<number>();
  for (let number = 0; number < settings.rounds; number++) {
    const fewer = new Set([...without, number]);
    const life = await live(settings, { without: fewer });
    if (life.violation !== null && life.violation.name === violation!.name) without = fewer;
  }
  return without;
}
