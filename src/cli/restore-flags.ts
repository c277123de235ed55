export interface RestoreFlags {
  readonly validateOnly?: boolean;
  readonly dryRun?: boolean;
  readonly to?: string;
  readonly all?: boolean;
  readonly collections?: readonly string[];
  readonly latest?: boolean;
  readonly yes?: boolean;
}
