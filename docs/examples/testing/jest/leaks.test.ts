import { expectNoLeaks } from '@landlord/mikro-orm/testing';
import { jestKit } from '@landlord/mikro-orm/testing/jest';
import { createApp, Note } from '../app.js';
import { kitOptions } from '../kit-options.js';

const worker = jestKit(kitOptions);
worker.use({ mode: 'real' });

it('the application shows nothing of one tenant to another', async () => {
  await expectNoLeaks({
    kit: worker.kit,
    app: createApp(worker.kit.orm),
    fill: (em, mark) => em.persistAndFlush(em.create(Note, { text: mark })),
    requests: [{ path: '/' }, { method: 'POST', path: '/?text={{mark}}' }],
  });
});
