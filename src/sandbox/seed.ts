import type { SandboxCore } from './core.ts';
import { payment, subscription } from './seed/billing.ts';
import { auditLog, contentIndex, mediaAsset, searchQuery } from './seed/content.ts';
import { Draft, SEED_COUNTS, type SeedCollection, type SeedSet, seedCount } from './seed/draft.ts';
import { event, rsvp, sessionAttendance, trainingSession } from './seed/gatherings.ts';
import { application, approval, profile, user } from './seed/members.ts';

export interface SeedOptions {
  /** 1, the default, gives about 75,000 documents; 0.01 about 750. No collection gets fewer than 3. */
  readonly scale?: number;
  /** Another number gives other documents; 1 if left out. */
  readonly seed?: number;
  /** Some of SEED_COLLECTIONS; all if left out. References into the others then lead nowhere. */
  readonly collections?: readonly string[];
}

export interface SeedDocument {
  /** The document's own id, which stands in it too. */
  readonly id: string;
  readonly json: string;
  /** ISO 8601 with microseconds. */
  readonly createdAt: string;
}

const MAKERS: Record<SeedCollection, (draft: Draft) => object> = {
  users: user,
  applications: application,
  approvals: approval,
  subscriptions: subscription,
  payments: payment,
  profiles: profile,
  events: event,
  rsvps: rsvp,
  training_sessions: trainingSession,
  session_attendance: sessionAttendance,
  search_queries: searchQuery,
  content_index: contentIndex,
  media_assets: mediaAsset,
  audit_logs: auditLog,
};

/** The fourteen collections of the seed application (zerodb-protocol §14). */
export const SEED_COLLECTIONS: readonly string[] = Object.keys(MAKERS);

/** The documents of one collection, made one by one, in order of creation. */
export function* seedDocuments(collection: string, options: SeedOptions = {}): Generator<SeedDocument> {
  if (!isSeedCollection(collection)) throw new RangeError(`there is no seed data for ${collection}`);
  const set: SeedSet = { scale: options.scale ?? 1, seed: options.seed ?? 1 };
  const count = seedCount(set, collection);
  for (let index = 0; index < count; index++) {
    const draft = new Draft(set, collection, index);
    const json = JSON.stringify(MAKERS[collection](draft));
    yield { id: draft.id, json, createdAt: isoTime(draft.createdAt) };
  }
}

/**
 * Fills a sandbox with the fourteen collections; returns how many documents each got. In dialect A a document's key
 * is its own id; a sandbox that speaks dialect B alone gives row ids of its own, as the cloud does.
 */
export function seedSandbox(sandbox: SandboxCore, options: SeedOptions = {}): Record<string, number> {
  const serverGivenKeys = !sandbox.dialects.includes('A');
  return sandbox.transaction(() =>
    Object.fromEntries(
      (options.collections ?? SEED_COLLECTIONS).map((collection) => {
        let count = 0;
        for (const { id, json, createdAt } of seedDocuments(collection, options)) {
          sandbox.insert(collection, json, { key: serverGivenKeys ? sandbox.newKey() : id, createdAt });
          count++;
        }
        return [collection, count];
      }),
    ),
  );
}

function isSeedCollection(name: string): name is SeedCollection {
  return Object.hasOwn(SEED_COUNTS, name);
}

/** A Python time as the server writes times: always six digits, and the zone. */
function isoTime(pythonTime: string): string {
  const [seconds, fraction = ''] = pythonTime.split('.');
  return `${seconds}.${fraction.padEnd(6, '0')}Z`;
}
