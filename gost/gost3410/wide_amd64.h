// The product and the square of 256-bit integers, for both fields.

// PRODUCT sets R15..R8 to (SI) * (BX). It changes AX, CX, DX.
#define PRODUCT \
	MOVQ 0(BX), DX         \
	MULXQ 0(SI), R8, R9    \
	MULXQ 8(SI), AX, R10   \
	ADDQ AX, R9            \
	MULXQ 16(SI), AX, R11  \
	ADCQ AX, R10           \
	MULXQ 24(SI), AX, R12  \
	ADCQ AX, R11           \
	ADCQ $0, R12           \
	ROW(8, R9, R10, R11, R12, R13)   \
	ROW(16, R10, R11, R12, R13, R14) \
	ROW(24, R11, R12, R13, R14, R15)

// ROW adds (SI) * o(BX), its low halves along one chain of carries and its
// high halves along the other. e starts at 0.
#define ROW(o, a, b, c, d, e) \
	MOVQ o(BX), DX        \
	XORL e, e             \
	MULXQ 0(SI), AX, CX   \
	ADCXQ AX, a           \
	ADOXQ CX, b           \
	MULXQ 8(SI), AX, CX   \
	ADCXQ AX, b           \
	ADOXQ CX, c           \
	MULXQ 16(SI), AX, CX  \
	ADCXQ AX, c           \
	ADOXQ CX, d           \
	MULXQ 24(SI), AX, CX  \
	ADCXQ AX, d           \
	ADOXQ CX, e           \
	ADCQ $0, e

// SQUARE sets R15..R8 to (SI)^2. It changes AX, CX, DX.
#define SQUARE \
	MOVQ 0(SI), DX         \
	MULXQ 8(SI), R9, R10   \
	MULXQ 16(SI), AX, R11  \
	ADDQ AX, R10           \
	MULXQ 24(SI), AX, R12  \
	ADCQ AX, R11           \
	ADCQ $0, R12           \
	MOVQ 8(SI), DX         \
	XORL R13, R13          \
	MULXQ 16(SI), AX, CX   \
	ADCXQ AX, R11          \
	ADOXQ CX, R12          \
	MULXQ 24(SI), AX, CX   \
	ADCXQ AX, R12          \
	ADOXQ CX, R13          \
	ADCQ $0, R13           \
	MOVQ 16(SI), DX        \
	MULXQ 24(SI), AX, R14  \
	ADDQ AX, R13           \
	ADCQ $0, R14           \
	XORL R15, R15          \
	ADDQ R9, R9            \
	ADCQ R10, R10          \
	ADCQ R11, R11          \
	ADCQ R12, R12          \
	ADCQ R13, R13          \
	ADCQ R14, R14          \
	ADCQ R15, R15          \
	MOVQ 0(SI), DX         \
	MULXQ DX, R8, AX       \
	ADDQ AX, R9            \
	MOVQ 8(SI), DX         \
	MULXQ DX, AX, CX       \
	ADCQ AX, R10           \
	ADCQ CX, R11           \
	MOVQ 16(SI), DX        \
	MULXQ DX, AX, CX       \
	ADCQ AX, R12           \
	ADCQ CX, R13           \
	MOVQ 24(SI), DX        \
	MULXQ DX, AX, CX       \
	ADCQ AX, R14           \
	ADCQ CX, R15
