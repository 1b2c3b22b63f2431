//go:build !purego

#include "textflag.h"
#include "wide_amd64.h"

// Arithmetic modulo any odd m of 256 bits in Montgomery's form. Values are
// below m, as those of field.Montgomery. DI points to the constants: m, then
// -1/m mod 2^64, then b.

// ROUND adds the multiple of m to e..a that makes a 0, and top to e; a then
// holds the carry out of e.
#define ROUND(a, b, c, d, e, top) \
	MOVQ a, DX           \
	IMULQ 32(DI), DX     \
	XORL AX, AX          \
	MULXQ 0(DI), AX, CX  \
	ADCXQ AX, a          \
	ADOXQ CX, b          \
	MULXQ 8(DI), AX, CX  \
	ADCXQ AX, b          \
	ADOXQ CX, c          \
	MULXQ 16(DI), AX, CX \
	ADCXQ AX, c          \
	ADOXQ CX, d          \
	MULXQ 24(DI), AX, CX \
	ADCXQ AX, d          \
	ADOXQ CX, e          \
	ADCXQ top, e         \
	MOVL $0, AX          \
	ADCXQ AX, a          \
	ADOXQ AX, a

// REDUCE divides R15..R8 by 2^256 modulo m.
#define REDUCE \
	XORL SI, SI                       \
	ROUND(R8, R9, R10, R11, R12, SI)  \
	ROUND(R9, R10, R11, R12, R13, R8) \
	ROUND(R10, R11, R12, R13, R14, R9) \
	ROUND(R11, R12, R13, R14, R15, R10) \
	MOVQ R11, AX \
	MOVQ R12, R8  \
	MOVQ R13, R9  \
	MOVQ R14, R10 \
	MOVQ R15, R11 \
	ONCE

// ONCE takes m from AX, R11..R8, which is also in R15..R12, unless the number
// is below m.
#define ONCE \
	SUBQ 0(DI), R12  \
	SBBQ 8(DI), R13  \
	SBBQ 16(DI), R14 \
	SBBQ 24(DI), R15 \
	SBBQ $0, AX      \
	CMOVQCC R12, R8  \
	CMOVQCC R13, R9  \
	CMOVQCC R14, R10 \
	CMOVQCC R15, R11

#define BELOW \
	SBBQ AX, AX   \
	NEGQ AX       \
	MOVQ R8, R12  \
	MOVQ R9, R13  \
	MOVQ R10, R14 \
	MOVQ R11, R15 \
	ONCE

TEXT montgomeryMul<>(SB), NOSPLIT|NOFRAME, $0
	PRODUCT
	REDUCE
	RET

TEXT montgomerySqr<>(SB), NOSPLIT|NOFRAME, $0
	SQUARE
	REDUCE
	RET

#define FMUL montgomeryMul<>(SB)
#define FSQR montgomerySqr<>(SB)

#define ADDM(m) \
	ADDQ m(0), R8   \
	ADCQ m(8), R9   \
	ADCQ m(16), R10 \
	ADCQ m(24), R11 \
	BELOW

#define SUBM(m) \
	SUBQ m(0), R8    \
	SBBQ m(8), R9    \
	SBBQ m(16), R10  \
	SBBQ m(24), R11  \
	SBBQ AX, AX      \
	MOVQ 0(DI), R12  \
	MOVQ 8(DI), R13  \
	MOVQ 16(DI), R14 \
	MOVQ 24(DI), R15 \
	ANDQ AX, R12     \
	ANDQ AX, R13     \
	ANDQ AX, R14     \
	ANDQ AX, R15     \
	ADDQ R12, R8     \
	ADCQ R13, R9     \
	ADCQ R14, R10    \
	ADCQ R15, R11

#define TIMES2 \
	ADDQ R8, R8   \
	ADCQ R9, R9   \
	ADCQ R10, R10 \
	ADCQ R11, R11 \
	BELOW

#define TIMES3(m) \
	TIMES2 \
	ADDM(m)

#define TIMES4 \
	TIMES2 \
	TIMES2

#define TIMES8 \
	TIMES4 \
	TIMES2

#define BMUL(m) \
	LEAQ m(0), SI   \
	LEAQ 40(DI), BX \
	CALL FMUL

#define ZEROTEST \
	MOVQ R8, AX  \
	ORQ R9, AX   \
	ORQ R10, AX  \
	ORQ R11, AX

#define DOUBLE ·doubleMontgomery
#define ADDAFFINE ·addAffineMontgomery
#define ADDCACHED ·addCachedMontgomery
#define DOUBLECOMPLETE ·doubleCompleteMontgomery
#define ADDCOMPLETE ·addCompleteMontgomery
#define ADDWINDOW ·addWindowMontgomery

#include "formulas_amd64.h"
