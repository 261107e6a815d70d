// verify CA.pem LEAF.pem: does Go, as Temporal Cloud's front ends do, verify this leaf for client authentication?
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	roots := x509.NewCertPool()
	roots.AddCert(read(os.Args[1]))
	leaf := read(os.Args[2])
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	stop(err)
}

func read(path string) *x509.Certificate {
	text, err := os.ReadFile(path)
	stop(err)
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	stop(err)
	return certificate
}

func stop(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
