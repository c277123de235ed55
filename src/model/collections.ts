/** The collections of the specification's application: what is backed up where a server cannot list its own. */
export const FOURTEEN_COLLECTIONS: readonly string[] = [
  'users',
  'applications',
  'approvals',
  'subscriptions',
  'payments',
  'profiles',
  'events',
  'rsvps',
  'training_sessions',
  'session_attendance',
  'search_queries',
  'content_index',
  'media_assets',
  'audit_logs',
];

/** Where manifests are mirrored; never itself backed up. */
export const MIRROR_COLLECTION = 'backup_metadata';
