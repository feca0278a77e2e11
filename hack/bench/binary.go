package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

const binaryTarget = 16 << 20

// measureBinary measures the program, which has to be built without symbols.
func (l *lab) measureBinary(context.Context) error {
	file, err := elf.Open(l.binary)
	if err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	defer file.Close()
	if file.Section(".symtab") != nil {
		return errors.New("the program has symbols: build it with -ldflags=-s")
	}
	info, err := os.Stat(l.binary)
	if err != nil {
		return err
	}
	l.report.Add("the program, stripped", mb(info.Size()), "< "+mb(binaryTarget), info.Size() < binaryTarget, bytesOf("lightd", info.Size()))
	return nil
}
