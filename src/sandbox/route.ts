import type { SandboxResponse } from './message.ts';

/** What stands behind one path: its pattern (for counting), its collection if it has one, and what each method does. */
export interface Route {
  readonly pattern: string;
  /** The collection that the request is about. */
  readonly name: string | null;
  readonly methods: Readonly<Record<string, () => SandboxResponse>>;
  /** True for paths that answer without credentials. */
  readonly open?: boolean;
}

/** The decoded parts of a path; null where an escape is malformed. */
export function pathSegments(path: string): string[] | null {
  try {
    return path.replace(/^\//, '').split('/').map(decodeURIComponent);
  } catch {
    return null;
  }
}
