import { Hono } from 'hono';

/** An application that answers with JSON where something fails. */
export function createApp(): Hono {
  const app = new Hono();

  // #region handler
  app.onError((error, c) => {
    if ('getResponse' in error && typeof error.getResponse === 'function') {
      return error.getResponse();
    }

    console.error(error);
    return c.json({ message: 'Internal Server Error' }, 500);
  });
  // #endregion handler

  return app;
}
