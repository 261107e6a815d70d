//go:build tools

package tools

import (
	_ "github.com/temporalio/tcld/cmd/tcld"
)
