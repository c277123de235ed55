import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createSandboxCore } from '../../../src/sandbox/sandbox.ts';
import { SEED_COLLECTIONS, seedDocuments, seedSandbox } from '../../../src/sandbox/seed.ts';

type Fields = Record<string, unknown>;

function seeded(options: Parameters<typeof seedSandbox>[1], dialects?: readonly ('A' | 'B')[]) {
  const core = createSandboxCore({ ...(dialects && { dialects }) });
  const counts = seedSandbox(core, options);
  return { core, counts };
}

describe('the seed', () => {
  const { core, counts } = seeded({ scale: 0.02 });
  const all = new Map(
    SEED_COLLECTIONS.map((name) => [
      name,
      [...core.documents(name)].map(({ data }) => JSON.parse(data.toString()) as Fields),
    ]),
  );
  const idsIn = (name: string) => new Set(all.get(name)!.map((document) => document.id));

  test('fills the fourteen collections to scale, and never with fewer than three', () => {
    expect(Object.keys(counts)).toEqual(SEED_COLLECTIONS);
    expect(counts).toMatchObject({ users: 20, events: 4, training_sessions: 3, audit_logs: 1000 });
    for (const name of SEED_COLLECTIONS) expect(core.documentCount(name)).toBe(counts[name]);
    expect(Object.values(seeded({ scale: 0 }).counts)).toEqual(Array(14).fill(3));
  });

  test('is the same every time for the same seed', () => {
    const hash = createHash('sha256');
    for (const name of SEED_COLLECTIONS) {
      for (const { json, createdAt } of seedDocuments(name, { scale: 0.01 })) hash.update(json + createdAt);
    }
    expect(hash.digest('hex').slice(0, 16)).toMatchInlineSnapshot(`"1091fba843776627"`);
    expect(seeded({ scale: 0.02 }).core.digest()).toBe(core.digest());
    expect(seeded({ scale: 0.02, seed: 2 }).core.digest()).not.toBe(core.digest());
  });

  test.each([
    ['user_id', 'users'],
    ['profile_id', 'profiles'],
    ['application_id', 'applications'],
    ['approver_id', 'users'],
    ['approver_ids', 'users'],
    ['board_votes', 'approvals'],
    ['subscription_id', 'subscriptions'],
    ['event_id', 'events'],
    ['organizer_id', 'users'],
    ['instructors', 'users'],
    ['uploaded_by', 'users'],
    ['top_result_ids', 'content_index'],
  ])('%s leads to a document of %s', (field, collection) => {
    const targets = idsIn(collection);
    const references = [...all.values()].flat().flatMap((document) => document[field] ?? []);
    expect(references.length).toBeGreaterThan(0);
    expect(references.filter((id) => !targets.has(id))).toEqual([]);
  });

  test('links users and profiles one to one, and indexed content to its source', () => {
    for (const profile of all.get('profiles')!) {
      const user = all.get('users')!.find((candidate) => candidate.id === profile.user_id);
      expect(user?.profile_id).toBe(profile.id);
    }
    const sources: Record<string, string> = {
      event: 'events',
      profile: 'profiles',
      media_asset: 'media_assets',
    };
    for (const { source_type: type, source_id: id } of all.get('content_index')!) {
      expect(idsIn(sources[type as string] ?? 'training_sessions')).toContain(id);
    }
  });

  test('gives every document a UUID of its own and the times of a Python application', () => {
    const documents = [...all.values()].flat();
    expect(new Set(documents.map(({ id }) => id)).size).toBe(documents.length);
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(?!000000)\d{6})?$/;
    for (const document of documents) {
      expect(document.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(document.created_at).toMatch(time);
      expect((document.updated_at as string) >= (document.created_at as string)).toBe(true);
    }
    const starts = all.get('events')!.map((event) => event.start_date as string);
    expect(starts.every((start) => start.endsWith('T00:00:00'))).toBe(true);
    for (const { key, createdAt } of core.documents('users')) {
      expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      expect(idsIn('users')).toContain(key);
    }
  });

  test('has embeddings of 1536 floats in the content index and in a fraction of the search log', () => {
    const log = seeded({ scale: 0.2, collections: ['search_queries'] }).core;
    const vectors = [...log.documents('search_queries')].map(
      ({ data }) => (JSON.parse(data.toString()) as Fields).embedding_vector as number[] | null,
    );
    const embedded = vectors.filter((vector) => vector !== null);
    expect(embedded.length).toBeGreaterThan(40);
    expect(embedded.length).toBeLessThan(200);
    for (const { embedding } of all.get('content_index')!) embedded.push(embedding as number[]);
    for (const vector of embedded) {
      expect(vector).toHaveLength(1536);
      expect(vector.every((part) => typeof part === 'number' && Math.abs(part) < 0.1)).toBe(true);
    }
  });

  test('writes floats as Python does and text beyond ASCII as it is', () => {
    const text = [...core.documents('payments')].map(({ data }) => data.toString()).join('');
    expect(text).toMatch(/"refunded_amount":0\.0,/);
    const index = [...core.documents('content_index')].map(({ data }) => data.toString()).join('');
    expect(index).toMatch(/,-?\d(\.\d+)?e-05,/);
    const people = [...core.documents('profiles')].map(({ data }) => data.toString()).join('');
    expect(people).toMatch(/[一-龯]/);
    expect(people).toMatch(/[à-ÿ]/);
    expect(people).not.toContain('\\u');
  });
});

test('sizes are those of the application', () => {
  const bytes = (name: string) => {
    const sizes = [...seedDocuments(name, { scale: 0.1 })].map(({ json }) => Buffer.byteLength(json));
    return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  };
  const expected: Record<string, [number, number]> = {
    users: [500, 800],
    applications: [2000, 6000],
    approvals: [500, 2000],
    profiles: [1000, 3000],
    events: [2000, 8000],
    training_sessions: [1000, 2500],
    content_index: [20_000, 40_000],
    audit_logs: [700, 1500],
  };
  for (const [name, [least, most]] of Object.entries(expected)) {
    expect(bytes(name), name).toBeGreaterThan(least);
    expect(bytes(name), name).toBeLessThan(most);
  }
});

test('a sandbox of dialect B alone gives row ids of its own', () => {
  const { core } = seeded({ scale: 0.01, collections: ['users'] }, ['B']);
  expect(core.collections).toEqual(['users']);
  for (const { key, data } of core.documents('users')) {
    expect(key).toMatch(/^[0-9a-f-]{36}$/);
    expect((JSON.parse(data.toString()) as Fields).id).not.toBe(key);
  }
});

test('documents are made as they are asked for, however many there are', () => {
  const documents = seedDocuments('audit_logs', { scale: 1_000_000 });
  expect(documents.next().value?.json).toContain('"action"');
});

test('an unknown collection is refused', () => {
  expect(() => seeded({ collections: ['toString'] })).toThrow('there is no seed data for toString');
});
