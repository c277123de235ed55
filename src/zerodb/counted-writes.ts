import type { HttpResponse } from '../kernel/http.ts';

/** How many rows an update or a deletion by filter concerned, as the server says; null where it does not say. */
export function affectedCount(
  response: HttpResponse,
  member: 'updated_count' | 'deleted_count',
): number | null {
  const count = parsedObject(response)[member];
  return Number.isSafeInteger(count) ? (count as number) : null;
}

/** Whether the server says that it inserted exactly so many rows, by its count and by the ids it gave them. */
export function insertedAll(response: HttpResponse, expected: number): boolean {
  const { inserted_count: count, inserted_ids: ids } = parsedObject(response);
  return count === expected && Array.isArray(ids) && new Set(ids).size === expected;
}

function parsedObject(response: HttpResponse): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(response.body).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
