export interface RestoreFlags {
  readonly validateOnly?: boolean;
  readonly dryRun?: boolean;
  readonly to?: string;
  readonly all?: boolean;
  readonly collections?: readonly string[];
  readonly latest?: boolean;
  /** Milliseconds since 1970. */
  readonly at?: number;
  readonly merge?: boolean;
  readonly exact?: boolean;
  readonly ids?: readonly string[];
  readonly plan?: string;
  readonly apply?: string;
  readonly allowPartial?: boolean;
  readonly withoutUndo?: boolean;
  readonly yes?: boolean;
}
