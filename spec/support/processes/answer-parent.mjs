/** Does what the parent asks for by messages, each work by its name, until `close` has let go of all that keeps the process alive. */
export function answerParent(work, close) {
  const works = {
    ...work,
    close: async () => {
      await close();
      process.disconnect();
    },
  };

  process.on('message', message => void answer(message));
  process.send({ id: 0 });

  async function answer({ id, name, args }) {
    try {
      const result = await works[name](args);

      if (process.connected) {
        process.send({ id, result });
      }
    } catch (error) {
      process.send?.({ id, error: String(error) });
    }
  }
}
