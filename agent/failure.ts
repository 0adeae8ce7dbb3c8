/** What can go wrong, each with the sentence a person reads and the exit code a script reads. */

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notEnrolled: 3,
  unregistered: 4,
  replaced: 5,
  strangeKey: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure that was foreseen; its message is a sentence for people. */
export class AgentFailure extends Error {
  readonly exitCode: ExitCode;

  constructor(sentence: string, exitCode: ExitCode = exitCodes.failed) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

/** The reason inside an error of `fetch`, a socket or the file system, in few words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  if (error.cause !== undefined && code === undefined) return reasonOf(error.cause);
  return error.message || String(code ?? error.name);
}
