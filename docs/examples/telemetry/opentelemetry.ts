import { observeTenants, TenantSpanProcessor } from '@landlord/mikro-orm/opentelemetry';
import { metrics, trace } from '@opentelemetry/api';
import { MeterProvider, type MetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';

// #region sdk
/** Before the application starts. With `NodeSDK`, pass the same span processors to it. */
export function startTelemetry(exporter: SpanExporter, reader: MetricReader): void {
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new TenantSpanProcessor(), new SimpleSpanProcessor(exporter)] }),
  );
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
// #endregion sdk

// #region observe
/** When the ORM is open. */
export function observe(): () => void {
  return observeTenants();
}
// #endregion observe
