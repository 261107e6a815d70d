/** Is this code of Node.js or OpenSSL about the far side's certificate or the handshake, rather than the route to it? */
export function isTlsFailure(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|EPROTO$|UNABLE_TO_|HOSTNAME_MISMATCH$)|CERT/.test(code);
}
