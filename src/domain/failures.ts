/**
 * The closed set of failures. Each says whether a retry of the same activity can help and what a person should do.
 * Adapters translate foreign errors into these at their boundary; nobody matches message text a second time.
 */
export const failures = {
  // Requests and configuration
  UnknownAuthority: { retryable: false, fix: 'Name an authority that the configuration of the worker has.' },
  UnknownTarget: { retryable: false, fix: 'Name a target that the configuration of the worker has.' },
  ConfigurationInvalid: { retryable: false, fix: 'Run `cert-rotation validate` and mend what it names.' },
  NotGranted: {
    retryable: false,
    fix: 'If it is meant, set the variable that the message names, for the worker or in your shell; otherwise mend the configuration.',
  },
  ReferenceUnreadable: {
    retryable: false,
    fix: 'Check that the file or environment variable exists and is readable by the worker.',
  },
  // Our own connection to Temporal
  TemporalProfileInvalid: {
    retryable: false,
    fix: 'Mend what the message names, or choose another profile with temporal.profile or TEMPORAL_PROFILE.',
  },
  TemporalUnreachable: {
    retryable: true,
    fix: 'Check the address (temporal.address, else TEMPORAL_ADDRESS, else the profile), the route and the port.',
  },
  TemporalRefused: {
    retryable: false,
    fix: 'Use the newest client certificate (temporal.tls, else TEMPORAL_TLS_CLIENT_CERT_PATH and _KEY_PATH): its CA must be in the namespace, and a filter must match it.',
  },
  TemporalNamespaceUnknown: {
    retryable: false,
    fix: 'Check temporal.namespace, else TEMPORAL_NAMESPACE: <namespace>.<account>.',
  },
  ClockSkewed: {
    retryable: false,
    fix: 'Set the clock of the machine that the rotation worker runs on (NTP): certificates are made by it.',
  },
  // Issuing and the keystore
  IssuedCertificateInvalid: {
    retryable: false,
    fix: 'The issuer made a certificate that breaks a rule: nothing was used. Report it.',
  },
  IssuerUnable: {
    retryable: false,
    fix: 'Ask for what this issuer can make, or use the issuer builtin: `cert-rotation validate` names the key.',
  },
  CaTooYoung: {
    retryable: true,
    fix: 'The program dates its leaves back, to before this CA; it is tried again until the CA is old enough.',
  },
  AuthorityKeyMissing: {
    retryable: false,
    fix: 'The key of the CA is not in the keystore. Rotate the CA: a new one is made.',
  },
  // Importing an authority
  ImportUnreadable: { retryable: false, fix: 'Give PEM files: the CA with --certificate, its key with --key.' },
  ImportKeyLocked: {
    retryable: false,
    fix: 'Give the passphrase of the key with --passphrase-file or --passphrase-env.',
  },
  ImportKeyMismatch: {
    retryable: false,
    fix: 'Give the key that belongs to it: `openssl pkey -pubout` and `openssl x509 -pubkey -noout` print the same.',
  },
  ImportNotCa: { retryable: false, fix: "Give the CA's certificate, not that of a leaf." },
  ImportExpired: { retryable: false, fix: 'Leave it and rotate the authority: a new CA is made.' },
  ImportMalformed: {
    retryable: false,
    fix: 'Temporal Cloud does not read such a certificate: rotate the authority, a new CA is made.',
  },
  ImportTooWeak: {
    retryable: false,
    fix: 'Temporal Cloud wants RSA or ECDSA with SHA-256 or stronger: rotate the authority, a new CA is made.',
  },
  ImportChainIncomplete: {
    retryable: false,
    fix: 'Give with --chain every certificate from the one that issued the CA up to its self-signed root.',
  },
  ImportNotAdmitted: {
    retryable: false,
    fix: 'It, or a CA above it, forbids client leaves; the message says how. Rotate the authority: a new CA is made.',
  },
  AuthorityExists: { retryable: false, fix: 'An import is for an authority without a CA; rotate this one.' },
  KeystoreConflict: { retryable: true, fix: 'Somebody else changed the entry; it is read again and decided again.' },
  KeystoreUnreadable: {
    retryable: false,
    fix: 'Check the key-encryption key: the entry was written with another one.',
  },
  KeystoreForbidden: { retryable: false, fix: 'Apply deploy/rbac.yaml for the keystore namespace.' },
  KeystoreUnavailable: { retryable: true, fix: 'The Kubernetes API does not answer; it is tried again.' },
  ForeignNextAuthority: {
    retryable: false,
    fix: 'A `next` CA of another rotation is in use. Finish or abort that rotation first.',
  },
  NamespaceUnseen: {
    retryable: true,
    fix: 'Its pods cannot be proved to work. The bundle of the namespace must hold the CA of its authority, and a filter match the leaf of a target.',
  },
  RotationOver: {
    retryable: false,
    fix: 'Nothing was changed, and nothing is left to do: this run was reset, or left behind. The next rotation is a new start.',
  },
  AuthorityRetiring: { retryable: false, fix: 'The CA is being removed; issue from the new one.' },
  CaCompromised: { retryable: false, fix: 'Nothing goes back to a compromised CA: go on with the new one.' },
  EmergencyNotRecorded: {
    retryable: false,
    fix: 'Nothing counts yet: mend what the message names, and declare the emergency again.',
  },
  // The cloud
  CloudUnauthenticated: {
    retryable: false,
    fix: 'The API key is wrong or expired: create a new one and update the reference.',
  },
  CloudKeyExpires: {
    retryable: false,
    fix: 'Create an API key that lasts until then, update the reference and start the worker anew.',
  },
  CloudForbidden: { retryable: false, fix: 'Give the service account Namespace Admin on this namespace.' },
  CloudNotFound: { retryable: false, fix: 'Check the namespace name, with its account: <namespace>.<account>.' },
  CloudUnavailable: { retryable: true, fix: 'Temporal Cloud does not answer; it is tried again.' },
  CloudRateLimited: { retryable: true, fix: 'Too many requests; it is tried again, slower.' },
  CloudConflict: { retryable: true, fix: 'The namespace changed meanwhile; it is read again and decided again.' },
  CloudBusy: { retryable: true, fix: 'Another operation on this namespace runs; it is waited for.' },
  CloudRejectedBundle: {
    retryable: false,
    fix: 'Temporal Cloud refused the CA bundle; the message names the certificate.',
  },
  CloudOperationFailed: {
    retryable: false,
    fix: 'The operation ended without effect; its reason is in the message. The namespace is as before.',
  },
  CloudWriteNotEffective: {
    retryable: true,
    fix: 'The operation ended, but the namespace does not show the change; it is read and decided again.',
  },
  CloudSpecChanged: {
    retryable: false,
    fix: 'More than the CA bundle and filters changed: compare the namespace with the audit log before you go on.',
  },
  BundleUnreadable: {
    retryable: false,
    fix: 'The namespace holds something that is no certificate: repair its CA bundle by hand.',
  },
  // Rescue
  RescueNotNeeded: {
    retryable: false,
    fix: 'Use `rotate ca` or `emergency ca`: the rotation belongs where its workers are.',
  },
  RescueRunning: { retryable: false, fix: 'Wait for it to end; where it died, its claim lapses after five minutes.' },
  // Programs of others (tcld, certstrap, the Temporal CLI)
  ToolMissing: {
    retryable: false,
    fix: 'Install the program on the machine of the worker and give its absolute path in the configuration.',
  },
  ToolUnsuitable: {
    retryable: false,
    fix: 'Install the version that the message names; a configured sha256 must be that of the file.',
  },
  ToolTimedOut: {
    retryable: true,
    fix: 'The program did not answer in time; what it did is looked up and tried again.',
  },
  ToolFailed: { retryable: false, fix: 'The message holds what the program said; run it by hand to see more.' },
  ToolAnswerUnknown: {
    retryable: false,
    fix: 'The program answered something that this version does not know: use a version that it was tested with.',
  },
  TemporaryRootUnsafe: {
    retryable: false,
    fix: 'Remove what is at that path, or give the worker a writable TMPDIR of its own.',
  },
  // Refusals of ours
  WouldLockOut: {
    retryable: false,
    fix: 'The change would lock somebody out and was not made; the message says whom.',
  },
  BundleFull: { retryable: false, fix: 'Remove a CA that nobody needs: a namespace holds 16 CAs or 32 KB.' },
  EvidenceMissing: {
    retryable: false,
    fix: 'Not everybody is proved to be on the new CA; the message names who is not.',
  },
  EvidenceChanged: {
    retryable: false,
    fix: 'What was approved is no longer so; the message says what changed. Both CAs stay trusted; you are asked anew.',
  },
  NewCaNotTrusted: {
    retryable: false,
    fix: 'The rotation adds the new CA again and proves it, and `cert-rotation retry` does so once more; whoever took it out, such as Terraform, has to leave the bundle alone. Both CAs stay where they are trusted.',
  },
  OldCaExpiring: {
    retryable: false,
    fix: 'It could not be put back if somebody fell off. Wait until it has expired, then start the rotation again.',
  },
  // Proofs
  ProbeRefused: {
    retryable: false,
    fix: 'The namespace refuses the new leaf; nothing uses it yet. The message gives the reason.',
  },
  ProbeUnreachable: { retryable: true, fix: 'The endpoint does not answer: check route, DNS and port.' },
  NotAdopted: {
    retryable: false,
    fix: 'A workload is not on the new leaf; the message names the pod and what it lacks.',
  },
  RemovalUndone: {
    retryable: false,
    fix: 'Somebody fell off after the removal; the old CA is trusted again. Find out who the message names.',
  },
  NotPutBack: {
    retryable: false,
    fix: 'It is compromised and stays out. Whoever fell off gets a fresh leaf of the new CA; find out who the message names.',
  },
  OldCertificateAdmitted: {
    retryable: false,
    fix: 'A leaf of the removed CA is still let in: compare the bundle of the namespace.',
  },
  // Kubernetes targets
  KubernetesForbidden: { retryable: false, fix: 'Apply the Role of this target from deploy/rbac.yaml.' },
  KubernetesUnavailable: { retryable: true, fix: 'The Kubernetes API does not answer; it is tried again.' },
  KubernetesConflict: { retryable: true, fix: 'Somebody else changed the object; it is read again.' },
  SecretUnusable: {
    retryable: false,
    fix: 'The Secret must be of type kubernetes.io/tls and not immutable; recreate it.',
  },
  SecretMismatch: {
    retryable: false,
    fix: 'Certificate and key of the Secret do not match after the write; the previous pair is restored.',
  },
  SecretOwned: {
    retryable: false,
    fix: 'Have its owner make it no more, or give the target a Secret of its own; with takeOwnership: true it is written all the same.',
  },
  NoConsumer: { retryable: false, fix: 'No workload mounts the Secret: check the name, or remove the target.' },
  UnknownOwner: {
    retryable: false,
    fix: 'A pod that uses the Secret belongs to a controller this system does not know; roll it by hand or remove it.',
  },
  WorkloadUnhealthy: { retryable: false, fix: 'A workload is unhealthy before anything was changed: mend it first.' },
  WorkloadUnsettled: {
    retryable: true,
    fix: 'It is looked at again until its pods are replaced and available: let the deployment in progress end, or mend it.',
  },
  WouldBeOutage: {
    retryable: false,
    fix: 'Use rollout: rolling; with allowOutage: true the target is scaled to 0 all the same.',
  },
  RolloutFailed: {
    retryable: false,
    fix: 'The new pods did not get ready; the previous certificate was restored. The message names the pod.',
  },
  // Notifiers: none of these fails a rotation
  UnknownNotifier: { retryable: false, fix: 'Name a notifier that the configuration of the worker has.' },
  NotifierUnavailable: { retryable: true, fix: 'The notifier does not answer or asks to wait; it is tried again.' },
  NotifierUnauthenticated: {
    retryable: false,
    fix: 'The notifier refuses our credentials: check the user and what the reference holds.',
  },
  NotifierTlsFailed: {
    retryable: false,
    fix: 'No trusted TLS with the notifier: check its certificate and host name, `security` and `serverRootsFile`.',
  },
  RecipientRefused: {
    retryable: false,
    fix: 'The mail server refuses the address: check `from` and `to` of the notifier, and what the server may relay.',
  },
  NotifierRefused: {
    retryable: false,
    fix: 'The notifier refuses the message: check its address; for Slack, that the webhook was not revoked.',
  },
  // Lifecycle
  RemovalRejected: {
    retryable: false,
    fix: 'Both CAs stay trusted. Start the rotation again to take the removal up later.',
  },
  ApprovalExpired: {
    retryable: false,
    fix: 'Nobody decided in time. Both CAs stay trusted. Start the rotation again to be asked again.',
  },
} as const satisfies Record<string, { retryable: boolean; fix: string }>;

export type FailureType = keyof typeof failures;

/** An error of the closed set. Activities turn it into an ApplicationFailure of the same type. */
export class RotationError extends Error {
  readonly type: FailureType;
  /** Retry of the same call can help. */
  readonly retryable: boolean;
  /** What a person should do. */
  readonly fix: string;

  /** @param message what happened and what state things are in: one or two sentences, no secret. */
  constructor(type: FailureType, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = type;
    this.type = type;
    this.retryable = failures[type].retryable;
    this.fix = failures[type].fix;
  }
}
