module github.com/temporal-cert-rotation/sandbox/verify

go 1.24
