import { expect } from 'chai';
import { withoutMount } from '../../../dist/web/core/mount.js';

describe('the target of a request without the part that names the tenant', () => {
  for (const [target, rest] of [
    ['/t/acme/books?page=2', '/books?page=2'],
    ['/t/acme', '/'],
    ['/t/acme?page=2', '/?page=2'],
    ['http://apps.test/t/acme/books', 'http://apps.test/books'],
    ['HTTPS://apps.test:8080/t/acme', 'HTTPS://apps.test:8080/'],
  ] as const) {
    it(`E1 H6 of ${target} is ${rest}`, () => {
      expect(withoutMount(target, '/t/acme')).to.equal(rest);
    });
  }
});
