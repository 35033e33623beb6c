import { RunUsageError } from '../errors/index.js';

/** Whether somebody can be asked. */
export function isOnTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/**
 * Asks on the terminal until the answer is taken, and returns what it was taken for. With `readline` of Node.js: a package for prompts has more to
 * install than it would do here.
 *
 * @param take Returns the value of an answer, or throws an error that says what is wrong with it.
 */
export async function ask<Value>(question: string, take: (answer: string) => Value): Promise<Value> {
  const terminal = process.getBuiltinModule('node:readline/promises').createInterface({ input: process.stdin, output: process.stdout });

  let onClose = (): void => undefined;
  const closed = new Promise<never>((_, reject) => {
    onClose = () => reject(RunUsageError.unanswered(question));
  });
  // of nobody's, once it is answered
  closed.catch(() => undefined);
  // Ctrl-C and Ctrl-D end the command, as those of a shell
  terminal.on('SIGINT', () => terminal.close());
  terminal.on('close', onClose);

  try {
    for (;;) {
      const answer = await Promise.race([terminal.question(`${question}: `), closed]);

      try {
        return take(answer.trim());
      } catch (error) {
        process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  } finally {
    terminal.close();
  }
}

/**
 * Has somebody repeat a word before what cannot be undone, unless `--yes` is given.
 *
 * @throws RunUsageError `RUN_USAGE`
 */
export async function confirm(what: string, word: string, { yes = false }: { readonly yes?: boolean | undefined }): Promise<void> {
  if (yes) {
    return;
  }

  if (!isOnTerminal()) {
    throw RunUsageError.unconfirmed(what);
  }

  if ((await ask(`${what} cannot be undone. To do it, type ${word}`, answer => answer)) !== word) {
    throw RunUsageError.unconfirmed(what);
  }
}
