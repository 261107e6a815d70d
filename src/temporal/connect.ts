import { readFile } from 'node:fs/promises';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import {
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigTLS,
  type ConfigDataSource,
} from '@temporalio/envconfig';
import type { LoadedConfig } from '../config/load.js';
import { RotationError } from '../domain/failures.js';
import type { KeyPair } from '../x509/pair.js';
import { PrivateKey } from '../x509/private-key.js';
import { keyMatches, readCertificates } from '../x509/read.js';

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

export function temporalAddress({ config: { temporal } }: LoadedConfig): TemporalAddress {
  const profile = loadClientConfigProfile(temporal.profile === undefined ? {} : { profile: temporal.profile });
  const files = temporal.tls ?? certificateFiles(profile.tls);
  const { tls, ...ambient } = profile;
  const { connectionOptions } = toClientOptions(files || !tls ? ambient : profile);
  return {
    namespace: temporal.namespace ?? profile.namespace ?? 'default',
    options: {
      ...connectionOptions,
      address: temporal.address ?? profile.address ?? 'localhost:7233',
    } as TemporalAddress['options'],
    ...(files && { files }),
  };
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
    tls: {
      ...(files?.serverName && { serverNameOverride: files.serverName }),
      ...(files?.serverRootsFile && { serverRootCACertificate: await readFile(files.serverRootsFile) }),
      clientCertPair: { crt: Buffer.from(pair.certificate.pem), key: Buffer.from(pair.key.reveal()) },
    },
  };
}

/**
 * The pair in the files now. A kubelet swaps both at once, other writers may not: a certificate and key that do not match
 * are refused, and the caller looks again.
 */
export async function readPair(files: CertificateFiles): Promise<KeyPair> {
  const [pem, keyPem] = await Promise.all([read(files.certificateFile), read(files.keyFile)]);
  const [certificate] = readCertificates(pem);
  const key = new PrivateKey(keyPem);
  if (!certificate || !keyMatches(certificate, key)) {
    throw new RotationError(
      'ReferenceUnreadable',
      `${files.certificateFile} and ${files.keyFile} do not belong together.`,
    );
  }
  return { certificate, key };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new RotationError('ReferenceUnreadable', `Cannot read ${file}: ${(error as NodeJS.ErrnoException).code}.`);
  }
}

/** A client for commands: connected once, closed by its user. */
export async function connectClient(loaded: LoadedConfig): Promise<{ client: Client; close(): Promise<void> }> {
  const address = temporalAddress(loaded);
  const pair = address.files && (await readPair(address.files));
  const connection = await Connection.connect(await optionsWith(address, pair));
  return { client: new Client({ connection, namespace: address.namespace }), close: () => connection.close() };
}
