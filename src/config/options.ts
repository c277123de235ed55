import type { Compression } from '../kernel/codec.ts';
import type { LogLevel } from '../kernel/log.ts';
import {
  choice,
  count,
  directory,
  duration,
  file,
  type Kind,
  list,
  onOff,
  rate,
  text,
  unlessOff,
  url,
} from './kinds.ts';

/**
 * Every option that can be configured, once: flags, variables, keys of the file, the documentation and the command
 * `config` are all made from this table. A name `stateDir` is the flag `--state-dir`, the key `state_dir` and,
 * unless the table says otherwise, the variable `ZERODB_BACKUP_STATE_DIR`.
 */
interface Option<Value, Default extends Value | undefined = Value | undefined> {
  readonly kind: Kind<Value>;
  /** One sentence without its full stop. */
  readonly help: string;
  readonly default: Default;
  /** What happens where there is no default value. */
  readonly otherwise?: string;
  readonly variable?: string;
  /** Never a flag, never shown; its variable may end in `_FILE` and name a file that holds the value. */
  readonly secret?: true;
  /** The commands that take the flag: all of them if left out, none if empty. */
  readonly commands?: readonly string[];
}

function option<Value>(
  kind: Kind<Value>,
  help: string,
  facts: Partial<Option<Value, undefined>> = {},
): Option<Value, Value | undefined> {
  return { kind, help, default: undefined, ...facts };
}

function defaulted<Value>(
  kind: Kind<Value>,
  value: Value,
  help: string,
  facts: Partial<Option<Value>> = {},
): Option<Value, Value> {
  return { kind, help, ...facts, default: value };
}

const toTarget = ['restore'];
const compressions: readonly Compression[] = ['gzip', 'zstd'];
const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Any of these takes the place of the specification's 7 days, 4 weeks and 12 months. */
const KEEP = {
  otherwise: 'the policy of the specification',
  commands: ['backup', 'cleanup'],
};

export const OPTIONS = {
  config: option(file, 'configuration file', {
    otherwise: 'zerodb-backup.yaml or zerodb-backup.json in the working directory',
  }),

  source: option(url, "base URL of the project's API, with ?project=…&dialect=… where needed", {
    variable: 'ZERODB_API_BASE_URL',
  }),
  projectId: option(text, 'project on the server', { variable: 'ZERODB_PROJECT_ID' }),
  apiKey: option(text, 'API key', { variable: 'ZERODB_API_KEY', secret: true }),
  email: option(text, 'login, where there is no API key', { variable: 'ZERODB_EMAIL' }),
  password: option(text, 'password of the login', { variable: 'ZERODB_PASSWORD', secret: true }),
  dialect: option(choice(['A', 'B', 'D']), 'dialect that the server speaks', { otherwise: 'found out' }),

  target: option(url, 'base URL of another server to restore into', {
    variable: 'ZERODB_TARGET_API_BASE_URL',
    otherwise: 'the source',
    commands: toTarget,
  }),
  targetProjectId: option(text, 'project on the target', {
    variable: 'ZERODB_TARGET_PROJECT_ID',
    commands: toTarget,
  }),
  targetApiKey: option(text, 'API key for the target', { variable: 'ZERODB_TARGET_API_KEY', secret: true }),
  targetEmail: option(text, 'login for the target', { variable: 'ZERODB_TARGET_EMAIL', commands: toTarget }),
  targetPassword: option(text, 'password of the login for the target', {
    variable: 'ZERODB_TARGET_PASSWORD',
    secret: true,
  }),

  store: option(
    list('url'),
    'where backups are kept: zerodb: (Object Storage of the project), a directory or file:///…',
    {
      otherwise: 'zerodb:',
    },
  ),
  stateDir: option(directory, 'local scratch and cache, never needed to restore', {
    otherwise: '$XDG_STATE_HOME/zerodb-backup',
  }),

  collections: option(list('a,b'), 'the collections of a server that cannot list its own', {
    otherwise: 'the 14 of the specification',
    commands: [], // the flag of this name is an argument of backup and restore: it selects
  }),
  exclude: option(list('a,b'), 'collections to leave out', { commands: ['backup'] }),
  compression: defaulted<Compression>(choice(compressions), 'gzip', 'how archives are compressed', {
    commands: ['backup', 'rebuild'],
  }),
  consistency: defaulted<'window' | 'point'>(
    choice(['window', 'point']),
    'window',
    'point asks for the state of one moment, at the price of a second reading',
    { commands: ['backup'] },
  ),

  fullAfter: defaulted(
    duration,
    7 * 24 * 60 * 60 * 1000,
    'an incremental backup becomes a full one if the full one that it would build on is older',
    { commands: ['backup'] },
  ),
  fullAbove: defaulted(
    count(1, 100),
    50,
    'an incremental backup becomes a full one if it would be more than so many percent of it',
    { commands: ['backup'] },
  ),
  anomalyShrink: defaulted(
    count(1, 100),
    50,
    'a backup that lacks more than so many percent of the documents of the last good one is an anomaly',
    { commands: ['backup'] },
  ),
  keepWithin: option(count(1, 36_500), 'keep good full backups of so many days', KEEP),
  keepLast: option(count(1, 100_000), 'keep so many, the newest', KEEP),
  keepDaily: option(count(1, 100_000), 'keep the first of each of so many days', KEEP),
  keepWeekly: option(count(1, 100_000), 'keep the first of each of so many weeks', KEEP),
  keepMonthly: option(count(1, 100_000), 'keep the first of each of so many months', KEEP),
  keepYearly: option(count(1, 100_000), 'keep the first of each of so many years', KEEP),
  retention: defaulted(unlessOff, true, 'remove what no rule keeps after each backup', {
    commands: ['backup'],
  }),
  mirror: defaulted(
    unlessOff,
    true,
    'write an entry for each backup into the collection backup_metadata, for people who query it',
    { commands: ['backup', 'rebuild'] },
  ),

  lockWait: defaulted(duration, 60_000, 'how long to wait for other runs that hold the store', {
    commands: ['backup', 'cleanup', 'rebuild', 'restore', 'undo', 'resume'],
  }),

  timeout: defaulted(duration, 60_000, 'longest silence of a server that is tolerated'),
  concurrency: defaulted(count(1, 64), 16, 'most requests at a time to one server'),
  rateLimit: option(rate, 'most requests a minute', { otherwise: "learned from the server's answers" }),

  json: defaulted(onOff, false, 'JSON lines on standard output, the last one a summary'),
  quiet: defaulted(onOff, false, 'only data and errors'),
  verbose: defaulted(onOff, false, 'say more'),
  logFile: option(file, 'file that receives every log line as well'),
  logLevel: option(choice(logLevels), 'lowest level that is logged', {
    otherwise: 'warn beside progress bars, else info',
  }),
} satisfies Record<string, Option<unknown>>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** Effective values: what is configured, else the default, else undefined. */
export type Settings = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends Option<infer Value, infer Default>
    ? Value | Default
    : never;
};

/** The table's entry in its general form. */
export function optionFacts(name: OptionName): Option<unknown> {
  return OPTIONS[name];
}

/** Whether a command takes the option as a flag. */
export function takesFlag(command: string, name: OptionName): boolean {
  const { secret, commands } = optionFacts(name);
  return secret !== true && (commands === undefined || commands.includes(command));
}

/** `--state-dir` */
export function flagOf(name: OptionName): string {
  return `--${words(name).join('-')}`;
}

/** `state_dir` */
export function keyOf(name: OptionName): string {
  return words(name).join('_');
}

/** `ZERODB_BACKUP_STATE_DIR` */
export function variableOf(name: OptionName): string {
  return optionFacts(name).variable ?? `${VARIABLE_PREFIX}${keyOf(name).toUpperCase()}`;
}

export const VARIABLE_PREFIX = 'ZERODB_BACKUP_';

function words(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
