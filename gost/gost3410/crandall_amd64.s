//go:build !purego

#include "textflag.h"
#include "wide_amd64.h"

// Arithmetic modulo p = 2^256 - 617 (CryptoPro-A). Values are any 256-bit
// integers, as those of field.Crandall.

// CARRY adds 617 for a carry out of R11, and for one more that this may make;
// R8 is tiny then.
#define CARRY \
	SBBQ AX, AX   \
	ANDL $617, AX \
	ADDQ AX, R8   \
	ADCQ $0, R9   \
	ADCQ $0, R10  \
	ADCQ $0, R11  \
	LASTCARRY

#define LASTCARRY \
	SBBQ AX, AX   \
	ANDL $617, AX \
	ADDQ AX, R8

// FOLD adds 617 for each of the small number hi above R11.
#define FOLD(hi) \
	IMUL3Q $617, hi, hi \
	ADDQ hi, R8  \
	ADCQ $0, R9  \
	ADCQ $0, R10 \
	ADCQ $0, R11 \
	LASTCARRY

// REDUCE takes R15..R8 modulo p.
#define REDUCE \
	MOVL $617, DX       \
	XORL CX, CX         \
	MULXQ R12, AX, R12  \
	ADCXQ AX, R8        \
	ADOXQ R12, R9       \
	MULXQ R13, AX, R13  \
	ADCXQ AX, R9        \
	ADOXQ R13, R10      \
	MULXQ R14, AX, R14  \
	ADCXQ AX, R10       \
	ADOXQ R14, R11      \
	MULXQ R15, AX, R15  \
	ADCXQ AX, R11       \
	ADOXQ CX, R15       \
	ADCQ $0, R15        \
	FOLD(R15)

TEXT crandallMul<>(SB), NOSPLIT|NOFRAME, $0
	PRODUCT
	REDUCE
	RET

TEXT crandallSqr<>(SB), NOSPLIT|NOFRAME, $0
	SQUARE
	REDUCE
	RET

#define FMUL crandallMul<>(SB)
#define FSQR crandallSqr<>(SB)

#define ADDM(m) \
	ADDQ m(0), R8   \
	ADCQ m(8), R9   \
	ADCQ m(16), R10 \
	ADCQ m(24), R11 \
	CARRY

// A second borrow leaves a number near 2^256, so R8 is large enough.
#define SUBM(m) \
	SUBQ m(0), R8   \
	SBBQ m(8), R9   \
	SBBQ m(16), R10 \
	SBBQ m(24), R11 \
	SBBQ AX, AX     \
	ANDL $617, AX   \
	SUBQ AX, R8     \
	SBBQ $0, R9     \
	SBBQ $0, R10    \
	SBBQ $0, R11    \
	SBBQ AX, AX     \
	ANDL $617, AX   \
	SUBQ AX, R8

// TWICE shifts CX, R11..R8 left by one bit.
#define TWICE \
	ADDQ R8, R8   \
	ADCQ R9, R9   \
	ADCQ R10, R10 \
	ADCQ R11, R11 \
	ADCQ CX, CX

#define TIMES2 \
	ADDQ R8, R8   \
	ADCQ R9, R9   \
	ADCQ R10, R10 \
	ADCQ R11, R11 \
	CARRY

#define TIMES3(m) \
	XORL CX, CX     \
	TWICE           \
	ADDQ m(0), R8   \
	ADCQ m(8), R9   \
	ADCQ m(16), R10 \
	ADCQ m(24), R11 \
	ADCQ $0, CX     \
	FOLD(CX)

#define TIMES4 \
	XORL CX, CX \
	TWICE       \
	TWICE       \
	FOLD(CX)

#define TIMES8 \
	XORL CX, CX \
	TWICE       \
	TWICE       \
	TWICE       \
	FOLD(CX)

// b is 166, one limb.
#define BMUL(m) \
	MOVQ 40(DI), DX       \
	MULXQ m(0), R8, R12   \
	MULXQ m(8), R9, R13   \
	MULXQ m(16), R10, R14 \
	MULXQ m(24), R11, R15 \
	ADDQ R12, R9          \
	ADCQ R13, R10         \
	ADCQ R14, R11         \
	ADCQ $0, R15          \
	FOLD(R15)

// 0 has the two forms 0 and p.
#define ZEROTEST \
	MOVQ R9, AX    \
	ANDQ R10, AX   \
	ANDQ R11, AX   \
	NOTQ AX        \
	LEAQ 617(R8), CX \
	ORQ CX, AX     \
	MOVQ R8, DX    \
	ORQ R9, DX     \
	ORQ R10, DX    \
	ORQ R11, DX    \
	CMOVQEQ DX, AX

#define DOUBLE ·doubleCrandall
#define ADDAFFINE ·addAffineCrandall
#define ADDCACHED ·addCachedCrandall
#define DOUBLECOMPLETE ·doubleCompleteCrandall
#define ADDCOMPLETE ·addCompleteCrandall
#define ADDWINDOW ·addWindowCrandall

#include "formulas_amd64.h"
