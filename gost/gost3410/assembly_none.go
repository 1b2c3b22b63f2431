//go:build !amd64 || purego

package gost3410

import "imzo/gost/gost3410/internal/field"

// assembly is the point formulas in assembly: there are none here, and every
// method says so. See assembly_amd64.go for what they would do.
type assembly struct{}

func newAssembly(*Curve) assembly { return assembly{} }

func (assembly) double(*jacobian, int) bool                          { return false }
func (assembly) addAffine(*jacobian, *field.Pair, bool) bool         { return false }
func (assembly) addCached(*jacobian, *cached, bool) bool             { return false }
func (assembly) doubleComplete(*point, int) bool                     { return false }
func (assembly) addComplete(_, _ *point) bool                        { return false }
func (assembly) addWindow(*point, []field.Pair, uint64, uint64) bool { return false }
