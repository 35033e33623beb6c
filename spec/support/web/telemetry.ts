import { AsyncLocalStorage } from 'node:async_hooks';
import { context, ROOT_CONTEXT, type Attributes, type Context, type ContextManager } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** The SDK of OpenTelemetry with exporters in memory. */
export function openTelemetry(...processors: SpanProcessor[]) {
  const spans = new InMemorySpanExporter();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [...processors, new SimpleSpanProcessor(spans)] });
  const meterProvider = new MeterProvider({ readers: [reader] });
  context.setGlobalContextManager(new AsyncContexts());

  return {
    tracerProvider,
    meterProvider,
    spans,
    /** The series of each metric, as `name{label=value}`, with their values. */
    async series(): Promise<Map<string, number>> {
      await reader.forceFlush();
      const [last] = exporter.getMetrics().slice(-1);
      const metrics = last?.scopeMetrics.flatMap(({ metrics: each }) => each) ?? [];

      return new Map(
        metrics.flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => [
            `${descriptor.name}{${labels(attributes)}}`,
            typeof value === 'number' ? value : (value as { readonly count: number }).count,
          ]),
        ),
      );
    },
    async close(): Promise<void> {
      context.disable();
      await tracerProvider.shutdown();
      await meterProvider.shutdown();
    },
  };
}

function labels(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}=${String(value)}`)
    .toSorted()
    .join(',');
}

/** What `@opentelemetry/context-async-hooks` does. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<Args extends unknown[], Fn extends (...args: Args) => ReturnType<Fn>>(
    active: Context,
    fn: Fn,
    thisArg?: ThisParameterType<Fn>,
    ...args: Args
  ): ReturnType<Fn> {
    return this.#storage.run(active, () => fn.apply(thisArg, args));
  }

  bind<Target>(_active: Context, target: Target): Target {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();

    return this;
  }
}
