import type { Client } from '@temporalio/client';
import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { createActivities, type Activities, type Dependencies } from '../../src/activities/index.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import type { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { createNotifier } from '../../src/notifiers/index.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { FakeKeystore } from './fakes.js';
import { listing } from './listing.js';

export interface ExpiryWorldOptions {
  readonly client: Client;
  /** `webhook` addresses by notifier name. */
  readonly notifiers: Readonly<Record<string, string>>;
  readonly renewBefore?: string;
  /** Default: the product's. */
  readonly at?: readonly string[];
  /** Who hears of the authority's certificates; default: all. */
  readonly notify?: readonly string[];
  /** Who hears of other people's; default: all. */
  readonly notifyOfForeign?: readonly string[];
  /** Default: the product's. */
  readonly resume?: boolean;
}

/**
 * One namespace, one authority and one target whose certificates a test says, and a clock that it moves: the activities of
 * the product over a keystore in memory, notifiers that speak to real servers, and no rotation.
 */
export class ExpiryWorld {
  now = new Date('2027-01-01T06:00:00.000Z');
  bundle: readonly CertificateFacts[] = [];
  leaf: KeyPair | undefined;
  /** What the rotation worker connects with. */
  own: CertificateFacts | undefined;
  /** Thrown by whoever reads the bundle. */
  bundleFailure: RotationError | undefined;
  /** Happens after the bundle was read and before whoever reads it has it. */
  whileBundleIsRead: () => Promise<void> = async () => {};
  /** Runs of the rotation that were terminated or timed out, as Temporal lists them. */
  cutShort: readonly { readonly runId: string; readonly closeTime: Date }[] = [];
  /** Why Temporal lists nothing. */
  unlisted: Error | undefined;
  readonly keystore = new FakeKeystore();
  readonly activities: Activities;
  readonly config: Config;

  constructor({ client, notifiers, renewBefore = 'never', at, notify, notifyOfForeign, resume }: ExpiryWorldOptions) {
    const hooks = Object.entries(notifiers).map(([name, url]) => `  ${name}: { kind: webhook, url: "${url}" }`);
    const { config, digest } = parseConfig(
      `version: 1
temporal: {}
cloud: { kind: ops-api, apiKey: { env: NOT_NEEDED } }
keystore: { kind: kubernetes, allowPlaintext: true }
namespaces: { orders.acct1: {} }
authorities:
  orders:
    subject: { organization: Acme }
    namespaces: [orders.acct1]
    renewBefore: ${renewBefore}
    ${named(notify)}
targets:
  orders-worker:
    authority: orders
    namespace: orders
    secret: orders-tls
    subject: { commonName: worker }
    lifetime: 30d
    renew: { before: 10d }
notices: { ${[named(notifyOfForeign), at && `at: [${at.join(', ')}]`, resume !== undefined && `resume: ${resume}`].filter(Boolean).join(', ')} }
notifiers:
${hooks.length > 0 ? hooks.join('\n') : '  {}'}
`,
      'rotation.yaml',
      '/',
    );
    const read = async (): Promise<KeyPair | undefined> => this.leaf;
    const readNamespace = async () => {
      if (this.bundleFailure) throw this.bundleFailure;
      const { bundle } = this;
      await this.whileBundleIsRead();
      return { bundle };
    };
    this.config = config;
    this.activities = createActivities({
      config,
      configDigest: digest,
      keystore: this.keystore,
      cloud: { readNamespace },
      target: () => ({ read }),
      notifier: (name: string) => createNotifier(name, config.notifiers[name]!),
      client: () =>
        listing(client, () => {
          if (this.unlisted) throw this.unlisted;
          return this.cutShort;
        }),
      ownCertificate: async () => this.own,
      searchAttributes: false,
      audit: () => undefined,
      now: () => this.now,
    } as unknown as Dependencies);
  }

  /** The authority signs with this CA, which its namespace trusts beside what it trusts already. */
  async sign(ca: KeyPair): Promise<void> {
    const { fingerprint } = ca.certificate;
    const owner = 'authority/orders';
    await this.keystore.create(entries.ca('orders', fingerprint), { ...ca, owner });
    const record = { generation: 1, current: fingerprint, signing: fingerprint };
    const known = await this.keystore.get(entries.authority('orders'));
    if (known) await this.keystore.update(entries.authority('orders'), { record, owner }, known.version);
    else await this.keystore.create(entries.authority('orders'), { record, owner });
    this.bundle = [...this.bundle, ca.certificate];
  }

  /** Its key is in other hands. */
  async compromise({ certificate: { fingerprint } }: KeyPair): Promise<void> {
    const known = await this.keystore.get(entries.authority('orders'));
    const record = { ...(known!.record as object), compromised: [fingerprint] };
    await this.keystore.update(entries.authority('orders'), { record, owner: known!.owner }, known!.version);
  }

  /** A rotation made `next`, and the namespace trusts both CAs. */
  async overlap(next: KeyPair, rotation: string): Promise<void> {
    const { fingerprint } = next.certificate;
    const entry = entries.ca('orders', fingerprint);
    if (!(await this.keystore.get(entry))) await this.keystore.create(entry, { ...next, owner: 'authority/orders' });
    const known = await this.keystore.get(entries.authority('orders'));
    const record = { ...(known!.record as object), next: fingerprint, rotation };
    await this.keystore.update(entries.authority('orders'), { record, owner: known!.owner }, known!.version);
    this.bundle = [...this.bundle.filter((ca) => ca.fingerprint !== fingerprint), next.certificate];
  }

  /** So many days before the end of `certificate`. */
  moveTo(certificate: CertificateFacts, daysBeforeEnd: number): void {
    this.now = new Date(Date.parse(certificate.notAfter) - daysBeforeEnd * 86_400_000);
  }
}

const named = (notifiers: readonly string[] | undefined): string =>
  notifiers ? `notify: [${notifiers.join(', ')}]` : '';
