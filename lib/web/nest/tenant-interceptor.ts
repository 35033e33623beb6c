import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { catchError, Observable } from 'rxjs';
import { StatusError, TenantNotServedError } from '../../errors/index.js';
import { headersOf } from '../../errors/status-error.js';
import { leaveScope } from '../../orm/mikro-context.js';
import type { Identification } from '../core/identification.js';
import { identify } from '../core/identify.js';
import type { NamedTenant } from '../core/resolvers.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';
import { onlyOwnValues } from './only-own-values.js';
import { TENANTS_MODULE_OPTIONS, type TenantsModuleOptions } from './options.js';

/**
 * Runs the handler of a message in the scope of its tenant. A request of HTTP or GraphQL is in its scope already, by the module's middleware. The
 * module registers it for microservices. Nest applies no global interceptors to gateways: put `@UseInterceptors(TenantInterceptor)` on each.
 * Guards run before interceptors, so those of messages are in no scope.
 *
 * What a handler goes on to send, such as server-sent events, is refused with `CROSS_TENANT` if it comes in the scope of another tenant: what is read
 * when another tenant has sent an event is that tenant's.
 *
 * The tenant of a gateway's message is that of the request which opened the socket: `client.handshake` of socket.io, or `client.request`. With
 * `ws`, set it when the socket opens: `handleConnection(client, request) { client.request = request; }`. The tenant of any other message is what
 * the option `message` says.
 */
export class TenantInterceptor implements NestInterceptor {
  readonly #options: TenantsModuleOptions;

  constructor(options: TenantsModuleOptions = {}) {
    this.#options = options;
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const type: string = context.getType();

    if (type === 'http') {
      return next.handle().pipe(
        onlyOwnValues(),
        catchError((error: unknown) => {
          prepareAnswer(context.switchToHttp().getResponse(), error);

          throw error;
        }),
      );
    }

    if (type === 'graphql') {
      return next.handle();
    }

    const found = await leaveScope(() => this.#identify(context));

    return new Observable(subscriber => runAs(found, () => next.handle().pipe(onlyOwnValues()).subscribe(subscriber)));
  }

  async #identify(context: ExecutionContext): Promise<Identification> {
    const { message, notFoundStatus = 404 } = this.#options;
    const request = context.getType() === 'ws' ? handshakeOf(context.switchToWs().getClient()) : undefined;
    const answer = request === undefined ? await message?.(context) : undefined;

    if (request === undefined && answer === undefined) {
      return { kind: 'unknown', error: new TenantNotServedError(notFoundStatus) };
    }

    return request === undefined
      ? identify({ headers: {} }, { ...this.#options, resolvers: [() => named(answer as Answer)] }, context)
      : identify(request, this.#options, request);
  }
}

Injectable()(TenantInterceptor);
Inject(TENANTS_MODULE_OPTIONS)(TenantInterceptor, undefined, 0);

function named(answer: Answer): NamedTenant | 'public' {
  return typeof answer === 'string' && answer !== 'public' ? { property: 'schemaName', value: answer } : answer;
}

/**
 * Gives an error what filters of Nest answer with: its status by the name that they read, and its headers, such as `Retry-After`, which they do not send.
 * Filters of some versions would tell the visitor the message of any error with a status, so there what is not for the visitor has none.
 */
function prepareAnswer(res: { header(name: string, value: string): unknown }, error: unknown): void {
  if (error instanceof StatusError && (error.expose || HIDES_MESSAGES)) {
    error.answerWithoutMessage();
    Object.entries(headersOf(error)).forEach(([name, value]) => res.header(name, value));
  }
}

const HIDES_MESSAGES = 'getHttpErrorMessage' in BaseExceptionFilter.prototype;

/** The request that opened the socket. */
function handshakeOf(client: { readonly handshake?: WebRequest; readonly request?: WebRequest } | undefined): WebRequest | undefined {
  const { handshake, request } = client ?? {};
  const found = request?.headers === undefined ? handshake : request;

  return found?.headers === undefined ? undefined : found;
}

type Answer = string | NamedTenant;
