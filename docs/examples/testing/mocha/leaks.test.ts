// #region leaks
import { expectNoLeaks } from '@landlord/mikro-orm/testing';
import { createApp, Note } from '../app.js';
import { worker } from './hooks.js';

describe('the application', () => {
  before(() => worker.use({ mode: 'real' }));
  after(() => worker.use({}));

  it('shows nothing of one tenant to another', async () => {
    await expectNoLeaks({
      kit: worker.kit,
      app: createApp(worker.kit.orm),
      fill: (em, mark) => em.persistAndFlush(em.create(Note, { text: mark })),
      requests: [{ path: '/' }, { method: 'POST', path: '/?text={{mark}}' }],
    });
  }).timeout(30_000);
});
// #endregion leaks
