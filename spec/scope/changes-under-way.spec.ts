import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { jsonKeyOf } from '../../dist/scope/key-of-scope.js';
import { TenantIdentities } from '../../dist/scope/tenant-identities.js';

describe('what a process knows of tenants without the database', () => {
  for (const [title, names] of [
    ['a tenant', ['acme']],
    ['nobody knows which tenants', []],
  ] as const) {
    it(`S12 is nothing of one while it changes ${title}, whatever the database says meanwhile`, async () => {
      const identities = new TenantIdentities();
      identities.wouldHaveHeard = () => true;
      const confirmations = identities.confirmationsOf('write');
      const [acme, bob] = [identityOf('acme'), identityOf('bob')];
      const heard = (): boolean[] => [identities.isHeard(acme), confirmations.isTrusted(acme), identities.isHeard(bob)];
      const confirm = (): void => [acme, bob].forEach(each => confirmations.confirm(each, confirmations.now(), undefined));
      const isBobs = names.length === 0;

      confirm();
      expect(heard()).to.deep.equal([true, true, true]);
      const end = identities.beginChange(names);
      confirm();
      expect(heard()).to.deep.equal([false, false, !isBobs]);
      let hasEnded = false;
      const changed = confirmations.changed(acme).then(() => (hasEnded = true));
      await setImmediate();
      expect(hasEnded).to.equal(false);

      end();
      expect(heard(), 'what was said meanwhile').to.deep.equal([false, false, !isBobs]);
      expect(await changed).to.equal(true);
      confirm();
      expect(heard()).to.deep.equal([true, true, true]);
    });
  }

  it('J1 is the key of a row in a form that JSON has, or none', () => {
    const keyOf = (...keyValues: unknown[]): unknown => jsonKeyOf({ identity: { keyValues } } as never);

    expect([keyOf('a'), keyOf(7), keyOf(9007199254740993n), keyOf(1, 'a')]).to.deep.equal(['a', 7, '9007199254740993', [1, 'a']]);
    expect(keyOf(new Date(0))).to.equal('1970-01-01T00:00:00.000Z');
    expect([keyOf(), keyOf(NaN), keyOf(new Date(NaN)), keyOf({}), keyOf(null), keyOf(1, {})]).to.deep.equal(Array(6).fill(undefined));
  });
});

function identityOf(name: string): Parameters<TenantIdentities['isHeard']>[0] {
  return { schemaName: name, key: name, keyValues: [name], schemaOid: name };
}
