package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"lightd/desired/atomicfile"
)

// lifetime of a certificate of our own: clients keep its fingerprint, so that a new one costs each of them a
// change, and there is nobody who could revoke it.
const lifetime = 10 * 365 * 24 * time.Hour

// ErrNone is a directory without a certificate.
var ErrNone = errors.New("there is no self-signed certificate")

// FindSelfSigned returns the files of the certificate in dir, ErrNone where there is none yet.
func FindSelfSigned(dir string) (Files, error) {
	files := Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	_, noCert := os.Stat(files.Cert)
	_, noKey := os.Stat(files.Key)
	switch {
	case noCert == nil && noKey == nil:
		return files, nil
	case noCert == nil:
		return files, fmt.Errorf("read the self-signed certificate's key: %w", noKey)
	case !errors.Is(noCert, fs.ErrNotExist):
		return files, fmt.Errorf("read the self-signed certificate: %w", noCert)
	}
	return files, ErrNone
}

// SelfSigned returns the files of the certificate in dir, which it makes where there is none. It is valid for
// hosts, which are names and addresses.
func SelfSigned(dir string, hosts []string) (Files, error) {
	files, err := FindSelfSigned(dir)
	if !errors.Is(err, ErrNone) {
		return files, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	cert, key, err := generate(hosts)
	if err != nil {
		return files, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	// The certificate comes last: where it is, its key is.
	if err := errors.Join(atomicfile.Write(files.Key, key), atomicfile.Write(files.Cert, cert)); err != nil {
		return files, fmt.Errorf("write the self-signed certificate: %w", err)
	}
	return files, nil
}

func generate(hosts []string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "lightd"}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	encode := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", secret), nil
}

func firstCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it does not begin with a certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
