export { BackupError, ERROR_CODES, type ErrorCode } from './kernel/errors.ts';
export type { OnEvent, OperationContext, OperationEvent, Phase } from './kernel/events.ts';
export type { BackupType } from './model/backup-id.ts';
export type { Manifest } from './model/manifest.ts';
export type {
  AdoptedArchive,
  AdoptReport,
  BackupReport,
  CleanedBackup,
  CleanupReport,
  CollectionBackup,
  ExportReport,
  ListedBackup,
  ListReport,
  RebuildReport,
  RebuiltIndex,
  RecoverableRange,
  ReportedError,
  ReportedWarning,
  RestoreCounts,
  RestoreMode,
  RestoreReport,
  StoredIn,
  VerifiedBackup,
  VerifyLevel,
  VerifyReport,
} from './model/report.ts';
export {
  type BackupOptions,
  BackupService,
  type PointInTime,
  type RestoreOptions,
  type ServiceConfig,
  type ServiceOptions,
} from './service.ts';
