#!/usr/bin/env bash
# The article's procedure ("Temporal Cloud Certificate Rotation", Keith Tenzer, 2023), by hand, on the sandbox: its commands in its
# order with the real tools. docs/article.md says what replaces each.
#
#   npx cert-rotation sandbox up --state ./sandbox --with-tools        # in another terminal
#   examples/article/rotate.sh ./sandbox ca                            # scenario 1: a new CA, and a leaf of it
#   examples/article/rotate.sh ./sandbox leaf                          # scenario 2: a new leaf of the CA made before
#   GENERATE_WITH=tcld examples/article/rotate.sh ./sandbox ca         # tcld instead of certstrap
#
# Corrected where the article slips: its Secret sits in another namespace than its Deployment, `replicas 0` lacks `--…=`, the Deployment
# has another name in the commands than in the manifest, and `create secret` fails when the Secret is there. Added, because nothing
# works without: waiting for tcld's operations, and for pods; and certstrap's empty passphrase, for which it would ask.
set -euo pipefail
exec </dev/null # a question that nobody expects must not wait for ever

state=$(cd "${1:?usage: rotate.sh <state folder of the sandbox> ca|leaf}" && pwd)
scenario=${2:?usage: rotate.sh <state folder of the sandbox> ca|leaf}
here=$(cd "$(dirname "$0")" && pwd)

# Nothing of this shell's own configuration reaches the tools: they could otherwise find a real cluster or account.
if [ "${ARTICLE_ENVIRONMENT:-}" != clean ]; then
  exec env -i ARTICLE_ENVIRONMENT=clean PATH="$state/state/bin:$PATH" HOME="$state/state/article" \
    GENERATE_WITH="${GENERATE_WITH:-certstrap}" bash "$here/rotate.sh" "$state" "$scenario"
fi

of() { node -p "JSON.parse(require('node:fs').readFileSync('$state/sandbox.json', 'utf8'))$1"; }
export KUBECONFIG TEMPORAL_CLOUD_API_SERVER TEMPORAL_CLOUD_API_KEY SSL_CERT_FILE
KUBECONFIG=$(of .kubernetes.kubeconfig)
TEMPORAL_CLOUD_API_SERVER=$(of .cloud.address)
TEMPORAL_CLOUD_API_KEY=$(of .cloud.apiKey)
SSL_CERT_FILE=$(of .cloud.caFile)

marker=$(kubectl get configmap cert-rotation-sandbox --namespace cert-rotation --output 'jsonpath={.data.id}' 2>/dev/null || true)
if [ -z "$marker" ] || ! grep -qF "$marker" "$(of .configuration)"; then
  echo "rotate.sh: this cluster does not carry the marker of the sandbox in $state; nothing was done" >&2
  exit 2
fi

namespace=temporal-booking.sdvdw
umask 077
mkdir -p "$state/state/article"
cd "$state/state/article"

say() { printf '\n$ %s\n' "$*"; "$@"; }

# tcld returns before an operation has ended: its id is in the answer, after the prompt.
operation() {
  printf '\n$ tcld %s\n' "$*"
  local answer id operation_state
  answer=$(tcld --auto_confirm "$@")
  id=$(sed -n 's/.*"requestId": *"\([^"]*\)".*/\1/p' <<<"$answer")
  [ -n "$id" ] || return 0 # nothing was to be changed
  until operation_state=$(tcld request get --request-id "$id" | sed -n 's/.*"state": *"\([^"]*\)".*/\1/p') && [ "$operation_state" = Fulfilled ]; do
    case $operation_state in Failed | Rejected | Cancelled) echo "the operation $id ended $operation_state" >&2 && exit 1 ;; esac
    sleep 0.5
  done
}

generate_ca() {
  if [ "$GENERATE_WITH" = certstrap ]; then
    rm -rf out
    say certstrap init --common-name Booking --passphrase ''
  else
    mkdir -p out && rm -f out/Booking.*
    say tcld --auto_confirm gen ca --org Temporal -d 365d --ca-cert out/Booking.crt --ca-key out/Booking.key
  fi
}

generate_leaf() {
  rm -f out/"$namespace".*
  if [ "$GENERATE_WITH" = certstrap ]; then
    say certstrap request-cert --common-name "$namespace" --passphrase ''
    say certstrap sign "$namespace" --CA Booking --passphrase ''
  else
    say tcld --auto_confirm gen leaf --org Temporal --common-name "$namespace" -d 364d --ca-cert out/Booking.crt --ca-key out/Booking.key \
      --cert "out/$namespace.crt" --key "out/$namespace.key"
  fi
}

old_cas() { # one file per CA that is trusted now
  rm -f OLD-*.crt
  tcld n ca list --namespace "$namespace" | sed -n 's/.*"base64EncodedData": *"\([^"]*\)".*/\1/p' | while read -r pem; do
    base64 -d <<<"$pem" >"OLD-$(sha1sum <<<"$pem" | cut -c1-12).crt"
  done
}

# Certificate errors may be those of a front end that has not heard of the new CA yet.
test_leaf() {
  local attempt
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    say temporal workflow list --limit 1 --address "$(of .gateway.address)" --namespace "$namespace" \
      --tls-server-name "$(of ".gateway.serverNames['$namespace']")" --tls-ca-path "$SSL_CERT_FILE" \
      --tls-cert-path "out/$namespace.crt" --tls-key-path "out/$namespace.key" && return
    sleep 1
  done
  echo "the new leaf is not admitted after $attempt tries" >&2
  exit 1
}

update_workers() {
  kubectl create secret tls temporal-booking-tls --key "out/$namespace.key" --cert "out/$namespace.crt" --namespace temporal-booking \
    --dry-run=client --output yaml >secret.yaml
  say kubectl apply --filename secret.yaml
  rm -f secret.yaml
  say kubectl scale deployment temporal-booking-worker --replicas=0 --namespace temporal-booking
  kubectl wait --for=delete pod --selector app.kubernetes.io/name=temporal-booking-worker --namespace temporal-booking --timeout 120s
  say kubectl scale deployment temporal-booking-worker --replicas=3 --namespace temporal-booking
  say kubectl rollout status deployment temporal-booking-worker --namespace temporal-booking --timeout 120s
}

case $scenario in
  ca)
    old_cas
    generate_ca
    operation n ca add --namespace "$namespace" --ca-certificate-file out/Booking.crt
    # The second filter is for the sandbox's rotation worker: the article's alone would lock it out.
    tcld n cf export --namespace "$namespace" | grep -q "\"$namespace\"" || operation n cf add --namespace "$namespace" --input \
      "{ \"filters\": [ { \"commonName\": \"$namespace\" }, { \"commonName\": \"cert-rotation-worker\" } ] }"
    generate_leaf
    test_leaf
    update_workers
    for old in OLD-*.crt; do operation n ca remove --namespace "$namespace" --ca-certificate-file "$old"; done
    ;;
  leaf)
    [ -f out/Booking.key ] || { echo 'rotate.sh: no CA of ours: run the scenario "ca" first' >&2 && exit 2; }
    generate_leaf
    test_leaf
    update_workers
    ;;
  *) echo "rotate.sh: the scenario is ca or leaf, not $scenario" >&2 && exit 2 ;;
esac
printf '\nDone: the workers run with a leaf of the CA in %s/out.\n' "$PWD"
