/** Runs the work in a transaction, rolls it back so that the next one starts from the same rows, and resolves to the result. */
export async function rollBackAfter<Em, Answer>(em: Transactional<Em>, work: (em: Em) => Answer): Promise<Awaited<Answer>> {
  const rollback = new Error('rolled back on purpose');
  let answer: Awaited<Answer> | undefined;

  await em
    .transactional(async tx => {
      answer = await work(tx);
      throw rollback;
    })
    .catch((error: unknown) => {
      if (error !== rollback) {
        throw error;
      }
    });

  return answer as Awaited<Answer>;
}

interface Transactional<Em> {
  transactional(work: (em: Em) => Promise<void>): Promise<unknown>;
}
