import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import {
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigProfile,
  type ClientConfigTLS,
  type ConfigDataSource,
} from '@temporalio/envconfig';
import type { LoadedConfig } from '../config/load.js';
import { RotationError } from '../domain/failures.js';
import type { Endpoint } from '../probes/probe.js';
import { clientTls } from '../x509/client-tls.js';
import type { KeyPair } from '../x509/pair.js';
import { PrivateKey } from '../x509/private-key.js';
import { keyMatches, readCertificates } from '../x509/read.js';
import { whyNotConnected, whyRefused, type Attempt } from './failures.js';

const connectTimeoutMs = 10_000;
const askAfterMs = 1000;

/** How to reach Temporal: what the configuration file says, the rest from the TEMPORAL_* environment and the profile. */
export interface TemporalAddress {
  readonly namespace: string;
  /** Without the client certificate where `files` names one. */
  readonly options: ConnectionOptions & { readonly address: string };
  /** Certificate files to connect with, and to follow. */
  readonly files?: CertificateFiles;
}

export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly serverName?: string | undefined;
  readonly serverRootsFile?: string | undefined;
}

/** What the configuration file may say of it. */
export interface TemporalSettings {
  readonly profile?: string | undefined;
  readonly address?: string | undefined;
  readonly namespace?: string | undefined;
  readonly tls?: CertificateFiles | undefined;
}

/** Throws TemporalProfileInvalid when the environment or the profile cannot be used. */
export function temporalAddress({ config: { temporal } }: LoadedConfig): TemporalAddress {
  return addressFrom(temporal);
}

/** The same from the settings alone. */
export function addressFrom(temporal: TemporalSettings): TemporalAddress {
  const profile = ambientProfile(temporal.profile);
  const files = temporal.tls ?? certificateFiles(profile.tls);
  const { tls, ...ambient } = profile;
  const { connectionOptions } = fromProfile(() => toClientOptions(files || !tls ? ambient : profile));
  return {
    namespace: temporal.namespace ?? profile.namespace ?? 'default',
    options: {
      ...connectionOptions,
      address: temporal.address ?? profile.address ?? 'localhost:7233',
    } as TemporalAddress['options'],
    ...(files && { files }),
  };
}

function ambientProfile(name: string | undefined): ClientConfigProfile {
  const profile = fromProfile(() => loadClientConfigProfile(name === undefined ? {} : { profile: name }));
  const { clientCert, clientKey } = profile.tls ?? {};
  if (Boolean(clientCert) !== Boolean(clientKey)) {
    throw new RotationError(
      'TemporalProfileInvalid',
      `The profile or TEMPORAL_TLS_* variables give a client ${clientCert ? 'certificate without its key' : 'key without its certificate'}.`,
    );
  }
  return profile;
}

/** Only the first line of the reason: those after it quote the file, which may hold an API key. */
function fromProfile<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const from = ['TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].filter((name) => process.env[name]);
    const named = from.map((name) => ` ${name}=${process.env[name]}`).join('');
    const reason = (error as Error).message.split('\n')[0]!.replace(/\.$/, '');
    throw new RotationError('TemporalProfileInvalid', `The Temporal profile${named} cannot be used: ${reason}.`);
  }
}

function certificateFiles(tls: ClientConfigTLS | undefined): CertificateFiles | undefined {
  const certificateFile = pathOf(tls?.clientCert);
  const keyFile = pathOf(tls?.clientKey);
  if (!tls || !certificateFile || !keyFile) return undefined;
  return { certificateFile, keyFile, serverName: tls.serverName, serverRootsFile: pathOf(tls.serverCACert) };
}

function pathOf(source: ConfigDataSource | undefined): string | undefined {
  return source && 'path' in source ? source.path : undefined;
}

/** Connection options that present `pair`; shared by Connection and NativeConnection. */
export async function optionsWith(
  { options, files }: TemporalAddress,
  pair: KeyPair | undefined,
): Promise<TemporalAddress['options']> {
  if (!pair) return options;
  return {
    ...options,
    tls: clientTls(pair, {
      serverName: files?.serverName,
      serverRoots: files?.serverRootsFile && (await read(files.serverRootsFile)),
    }),
  };
}

/**
 * The pair in the files now. A kubelet swaps both at once, other writers may not: a certificate and key that do not match
 * are refused, and the caller looks again.
 */
export async function readPair(files: CertificateFiles): Promise<KeyPair> {
  const [pem, keyPem] = await Promise.all([read(files.certificateFile), read(files.keyFile)]);
  const [certificate, ...chain] = parsed(files.certificateFile, 'certificate', () => readCertificates(pem));
  const key = parsed(files.keyFile, 'private key', () => new PrivateKey(keyPem));
  if (!certificate || !keyMatches(certificate, key)) {
    throw new RotationError(
      'ReferenceUnreadable',
      `${files.certificateFile} and ${files.keyFile} do not belong together.`,
    );
  }
  return { certificate, key, ...(chain.length > 0 && { chain }) };
}

/** What our own connection presents, certificate and chain: from the files, or from the profile itself. Undefined: none. */
export async function presentedCertificates(loaded: LoadedConfig): Promise<Omit<KeyPair, 'key'> | undefined> {
  const { files, options } = temporalAddress(loaded);
  if (files) return readPair(files);
  const { clientCertPair } = (typeof options.tls === 'object' && options.tls) || {};
  if (!clientCertPair) return undefined;
  const [certificate, ...chain] = readCertificates(Buffer.from(clientCertPair.crt).toString());
  return certificate && { certificate, chain };
}

/** The parser's own words are left out: they may quote what it was given. */
function parsed<T>(file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new RotationError('ReferenceUnreadable', `${file} holds no ${what} in PEM.`);
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new RotationError('ReferenceUnreadable', `Cannot read ${file}: ${(error as NodeJS.ErrnoException).code}.`);
  }
}

/**
 * A client for commands: connected once, until the process ends. Throws TemporalUnreachable or TemporalRefused, with the
 * reason of the TLS layer.
 */
export async function connectClient(loaded: LoadedConfig): Promise<Client> {
  const address = temporalAddress(loaded);
  const pair = address.files && (await readPair(address.files));
  const options = await optionsWith(address, pair);
  const connection = await connect(options, await attemptOf(address, pair));
  return new Client({ connection, namespace: address.namespace });
}

/** A client over one endpoint of a namespace that presents `leaf`. Throws TemporalUnreachable or TemporalRefused. */
export async function clientAt(endpoint: Endpoint, leaf: KeyPair): Promise<Client> {
  const { namespace, address } = endpoint;
  const connection = await connect({ address, tls: clientTls(leaf, endpoint) }, { ...endpoint, pair: leaf });
  return new Client({ connection, namespace });
}

/** gRPC tries again until its deadline, whatever the server says: when it takes long, the server is asked why. */
async function connect(options: TemporalAddress['options'], attempt: Attempt): Promise<Connection> {
  const connecting = Connection.connect({ ...options, connectTimeout: connectTimeoutMs });
  const settled = connecting.then(
    () => undefined,
    () => undefined,
  );
  const connected = new AbortController();
  const asked = wait(askAfterMs, undefined, { signal: connected.signal }).then(
    () => whyRefused(attempt),
    () => undefined,
  );
  const refused = await Promise.race([settled, asked]);
  connected.abort();
  if (refused) {
    void connecting.then((late) => late.close()).catch(() => undefined);
    throw refused;
  }
  return connecting.catch(async (error: unknown) => {
    throw await whyNotConnected(attempt, error);
  });
}

/** What the connection was made with, to find out why it failed. */
export async function attemptOf(
  { namespace, options, files }: TemporalAddress,
  pair: KeyPair | undefined,
): Promise<Attempt> {
  return {
    address: options.address,
    namespace,
    pair,
    certificateFile: files?.certificateFile,
    serverName: files?.serverName,
    serverRoots: files?.serverRootsFile && (await read(files.serverRootsFile)),
  };
}
