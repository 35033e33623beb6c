import { Configuration } from '@mikro-orm/core';
import { defineConfig } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { isSameDatabase } from '../../dist/scope/same-database.js';

describe('whether two configs are of one database', () => {
  it('law 2 is told by their addresses, in whatever way they are written', () => {
    const same = [
      { clientUrl: 'postgres://app:secret@localhost/app' },
      { clientUrl: 'postgres://app:secret@127.0.0.1:5432/app' },
      { clientUrl: 'postgres://other@[::1]/app?schema=x' },
      { host: 'localhost', dbName: 'app' },
      { host: 'localhost', port: 5432, dbName: 'app', user: 'other' },
    ].map(configOf);
    const others = [
      { clientUrl: 'postgres://app:secret@localhost:5433/app' },
      { clientUrl: 'postgres://app:secret@localhost/app2' },
      { clientUrl: 'postgres://app:secret@example.com/app' },
      { host: 'example.com', dbName: 'app2' },
    ].map(configOf);

    for (const one of same) {
      expect(same.map(each => isSameDatabase(one, each))).to.deep.equal(same.map(() => true));
      expect(others.map(each => isSameDatabase(each, one))).to.deep.equal(others.map(() => false));
    }

    expect(others.map(one => others.filter(each => isSameDatabase(one, each)).length)).to.deep.equal(others.map(() => 1));
  });
});

function configOf(options: object): Configuration {
  return new Configuration(defineConfig({ entities: ['none'], ...options }) as never, false);
}
