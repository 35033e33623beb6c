import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { onDatabases, SERVER_AND_POOLER } from '../support/databases/database.ts';
import { STRIPS_TYPES } from '../support/processes/strips-types.ts';
import { ROOT } from '../support/orm/library-orm.ts';

onDatabases(
  'closing the ORM',
  database => {
    it('N4 leaves no timer, no open handle and no unhandled rejection: the process ends by itself', async () => {
      const script = join(ROOT, 'spec/support/processes/run-and-close.mjs');
      // the promise is rejected if the signal ended the process
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [...STRIPS_TYPES, script], {
        env: { ...process.env, DATABASE_URL: database.url },
        timeout: 20_000,
      });

      expect(stdout).to.contain('closed');
      expect(stderr).to.equal('');
    });
  },
  SERVER_AND_POOLER,
);
