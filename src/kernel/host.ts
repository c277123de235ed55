/** The process and the machine around it, as the outside world hands them in. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly hostname: string;
  /** Where a pid is the number of one process: this machine since it was started, or this container on it. */
  readonly processSpace: string;
  /** Whether a process of this process space is there. */
  isProcessAlive(pid: number): boolean;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
  /** What runs the tool, for whoever helps: Node and operating system with their versions. */
  readonly system: string;
  /** Version of this tool. */
  readonly toolVersion: string;
}
