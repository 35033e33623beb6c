import { expect } from 'chai';
import { answerOf } from '../../../dist/web/core/answer.js';

/** What a visitor is told of an error with these properties. */
const ANSWERS: readonly (readonly [given: object | undefined, status: number, message: string])[] = [
  [{ status: 404 }, 404, 'secret'],
  [{ statusCode: 409 }, 409, 'secret'],
  [{ status: 404, expose: false }, 404, 'Not Found'],
  [{ status: 503 }, 503, 'Service Unavailable'],
  [{ status: 503, expose: true }, 503, 'secret'],
  [{ status: 200 }, 500, 'Internal Server Error'],
  [{}, 500, 'Internal Server Error'],
  [{ expose: true }, 500, 'Internal Server Error'],
  // such as the code of an answer that the application was given by others
  [{ status: 999 }, 500, 'Internal Server Error'],
  [{ status: 12_345 }, 500, 'Internal Server Error'],
  [{ status: '404' }, 500, 'Internal Server Error'],
  [{ status: 'ENOENT', statusCode: 410 }, 410, 'secret'],
  [undefined, 500, 'Internal Server Error'],
];

describe('the answer to an error', () => {
  for (const [given, status, message] of ANSWERS) {
    it(`E1 H13 with ${JSON.stringify(given)} is ${status}, ${message}`, () => {
      const headers = { 'Retry-After': '1' };
      const answer = answerOf(given && { message: 'secret', headers, ...given });

      expect(answer).to.deep.equal({
        status,
        message,
        headers: message === 'Internal Server Error' ? {} : headers,
        isFault: message === 'Internal Server Error' || message === 'Service Unavailable',
      });
    });
  }
});
