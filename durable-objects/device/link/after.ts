/** Waiting, which tests replace. */

/** Runs `work` after `ms`; the returned function takes it back. */
export type After = (ms: number, work: () => void) => () => void;

export const realAfter: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};
