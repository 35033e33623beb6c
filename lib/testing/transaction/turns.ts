/**
 * Says whose statement is next on the one connection of a test. While a session has a transaction open, only its own statements are sent, so
 * that what others write is not rolled back with it. Where its own flow asks for a second connection, that one's statements have to come in
 * between: the flow would else wait for itself.
 */
export class Turns<Session extends object> {
  readonly #explainOverlap: () => Error;
  /** The sessions with an open transaction. Only the last one can end its own. */
  readonly #open: Session[] = [];
  readonly #jobs: Job<Session>[] = [];
  #isRunning = false;
  #timer: NodeJS.Timeout | undefined;
  #idleTimes = 0;

  constructor(explainOverlap: () => Error) {
    this.#explainOverlap = explainOverlap;
  }

  get waiting(): number {
    return this.#jobs.length + (this.#isRunning ? 1 : 0);
  }

  get open(): number {
    return this.#open.length;
  }

  begin(session: Session): void {
    this.#open.push(session);
  }

  end(session: Session): void {
    const index = this.#open.lastIndexOf(session);

    if (index !== -1) {
      this.#open.splice(index, 1);
    }
  }

  run<Result>(session: Session, { isNested, ends, fn }: Turn<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#jobs.push({ session, isNested, ends, isAdmitted: false, run: () => fn().then(resolve, reject), reject });
      this.#next();
    });
  }

  #next(): void {
    clearTimer(this.#timer);
    this.#timer = undefined;

    if (this.#isRunning || this.#jobs.length === 0) {
      return;
    }

    const index = this.#jobs.findIndex(job => this.#mayRun(job));

    if (index === -1) {
      this.#timer = setTimer(() => this.#whenIdle(), IDLE_MS);
      return;
    }

    const [job] = this.#jobs.splice(index, 1);
    this.#isRunning = true;
    this.#idleTimes = 0;
    void job?.run().finally(() => {
      this.#isRunning = false;
      this.#next();
    });
  }

  #mayRun({ session, isNested, ends, isAdmitted }: Job<Session>): boolean {
    const holder = this.#open.at(-1);

    return holder === undefined || holder === session || (!ends && (isNested || isAdmitted));
  }

  /** Whoever has the transaction sends nothing: it waits for one of the jobs, or for something else. */
  #whenIdle(): void {
    this.#idleTimes += 1;
    const first = this.#jobs.find(({ ends }) => !ends);

    if (first !== undefined) {
      first.isAdmitted = true;
    } else if (this.#idleTimes * IDLE_MS > OVERLAP_MS) {
      this.#jobs.splice(0).forEach(job => job.reject(this.#explainOverlap()));
    }

    this.#next();
  }
}

/** Those of Node itself: a runner may replace the global ones. */
const { setTimeout: setTimer, clearTimeout: clearTimer } = globalThis;

/** Longer than the pause between two statements of code that only computes. */
const IDLE_MS = 25;

const OVERLAP_MS = 2_000;

interface Turn<Result> {
  /** Whether the caller is known to be in the transaction that is open. */
  readonly isNested: boolean;
  /** Whether it ends the session's transaction. */
  readonly ends: boolean;
  readonly fn: () => Promise<Result>;
}

interface Job<Session> {
  readonly session: Session;
  readonly isNested: boolean;
  readonly ends: boolean;
  isAdmitted: boolean;
  run(): Promise<unknown>;
  reject(error: Error): void;
}
