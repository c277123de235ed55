import { type Draft, pythonFloat } from './draft.ts';
import { USER_AGENTS, WORDS } from './words.ts';

/** What can be searched and looked at, and what was done: search queries, content index, media assets, audit logs. */

/** Share of the search log that keeps its embedding. */
const EMBEDDED_QUERIES = 0.05;

export function searchQuery(draft: Draft): object {
  const { dice } = draft;
  const results = dice.chance(0.9) ? 1 + dice.below(20) : 0;
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    user_id: draft.maybe(0.6, () => draft.reference('users')),
    query_text: draft.prose(20, 160),
    embedding_vector: draft.maybe(EMBEDDED_QUERIES, () => draft.embedding()),
    intent: draft.maybe(0.5, () => dice.pick(['learn', 'find_event', 'find_person', 'other'])),
    results_count: results,
    top_result_ids: results === 0 ? [] : draft.references('content_index', 5),
    clicked_result_ids: results === 0 ? [] : draft.references('content_index', 1),
    response_time_ms: dice.below(900),
    feedback_rating: draft.maybe(0.1, () => dice.pick(['positive', 'negative'])),
    feedback_text: draft.maybe(0.05, () => draft.prose(20, 200)),
    session_id: draft.maybe(0.8, () => dice.uuid()),
    user_agent: draft.maybe(0.9, () => dice.pick(USER_AGENTS)),
    ip_address: draft.maybe(0.4, () => draft.address()),
    ip_hash: draft.maybe(0.6, () => draft.hex(64)),
  };
}

const INDEXED = ['events', 'training_sessions', 'profiles', 'media_assets'] as const;

export function contentIndex(draft: Draft): object {
  const { dice } = draft;
  const source = dice.pick(INDEXED);
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    source_type: source.replace(/s$/, ''),
    source_id: draft.reference(source),
    url: draft.maybe(0.7, () => `https://www.example.org/${source}/${draft.hex(8)}`),
    title: draft.title(),
    content_chunk: draft.prose(400, 2500),
    summary: draft.maybe(0.5, () => draft.prose(80, 300)),
    embedding: draft.embedding(),
    embedding_model: 'text-embedding-ada-002',
    metadata: { language: dice.pick(['en', 'de', 'ja']), chunk: dice.below(12), score: draft.amount(1) },
    tags: draft.disciplines(),
    category: draft.maybe(0.6, () => dice.pick(WORDS)),
    visibility: dice.pick(['public', 'members_only']),
    keywords: [dice.pick(WORDS), dice.pick(WORDS)],
    search_weight: pythonFloat(1 + dice.below(4) / 2),
    is_active: true,
    view_count: dice.below(2000),
    indexed_at: draft.later(),
  };
}

const MEDIA = [
  { type: 'image', mime: 'image/webp', extension: 'webp' },
  { type: 'video', mime: 'video/mp4', extension: 'mp4' },
  { type: 'document', mime: 'application/pdf', extension: 'pdf' },
] as const;

export function mediaAsset(draft: Draft): object {
  const { dice } = draft;
  const { type, mime, extension } = dice.pick(MEDIA);
  const visible = type !== 'document';
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.updatedAt,
    media_type: type,
    filename: `${draft.title().replaceAll(' ', '_')}.${extension}`,
    file_size_bytes: dice.word(),
    mime_type: mime,
    storage_provider: 'zerodb',
    object_id: draft.maybe(0.9, () => dice.uuid()),
    url: draft.maybe(0.9, () => `https://media.example.org/${draft.id}.${extension}`),
    width: visible ? 640 * (1 + dice.below(6)) : null,
    height: visible ? 360 * (1 + dice.below(6)) : null,
    duration: type === 'video' ? pythonFloat(dice.below(100_000) / 10) : null,
    uploaded_by: draft.reference('users'),
    entity_type: 'event',
    entity_id: draft.maybe(0.7, () => draft.reference('events')),
    alt_text: draft.maybe(0.6, () => draft.prose(20, 120)),
    caption: draft.maybe(0.5, () => draft.prose(20, 160)),
    access_roles: dice.chance(0.5) ? ['member', 'instructor'] : ['public'],
  };
}

const AUDITED = ['users', 'applications', 'payments', 'events', 'profiles'] as const;

export function auditLog(draft: Draft): object {
  const { dice } = draft;
  const resource = dice.pick(AUDITED);
  const action = dice.pick([
    'create',
    'read',
    'update',
    'update',
    'delete',
    'login',
    'logout',
    'approve',
    'export',
  ]);
  const changes =
    action === 'update' ? { before: { name: draft.title() }, after: { name: draft.title() } } : {};
  return {
    id: draft.id,
    created_at: draft.createdAt,
    updated_at: draft.createdAt,
    user_id: draft.maybe(0.9, () => draft.reference('users')),
    action,
    resource_type: resource,
    resource_id: draft.maybe(0.9, () => draft.reference(resource)),
    description: draft.prose(60, 300),
    changes,
    ip_address: draft.maybe(0.8, () => draft.address()),
    user_agent: draft.maybe(0.9, () => dice.pick(USER_AGENTS)),
    session_id: draft.maybe(0.7, () => dice.uuid()),
    success: dice.chance(0.97),
    error_message: null,
    severity: dice.pick(['info', 'info', 'info', 'warning', 'critical']),
    metadata: { request_id: draft.hex(16), duration_ms: draft.amount(500) },
  };
}
