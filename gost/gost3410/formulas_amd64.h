// The point formulas over 4x64-bit limbs, shared by the two fields. A field's
// file defines, before it includes this one,
//
//	FMUL, FSQR     subroutines: R8-R11 <- (SI) * (BX), R8-R11 <- (SI)^2
//	ADDM(m), SUBM(m)  R8-R11 +- m
//	TIMES2, TIMES4, TIMES8     R8-R11 times 2, 4, 8
//	TIMES3(m)          3m, where R8-R11 holds m
//	BMUL(m)        R8-R11 <- b*m, b of the curve
//	ZEROTEST       AX <- 0 exactly when R8-R11 is 0 in the field
//
// and the names of the functions. The subroutines leave DI, the constants of
// the curve, as it is; all else they may change. Values stand in the frame,
// one every 32 bytes, and are named below: name(offset).
//
// Nothing here branches on data or takes it for an address, but for the
// vartime functions' one way out when an addition is a doubling.

#define LD(m) \
	MOVQ m(0), R8   \
	MOVQ m(8), R9   \
	MOVQ m(16), R10 \
	MOVQ m(24), R11

#define ST(m) \
	MOVQ R8, m(0)   \
	MOVQ R9, m(8)   \
	MOVQ R10, m(16) \
	MOVQ R11, m(24)

#define MUL(a, b) \
	LEAQ a(0), SI \
	LEAQ b(0), BX \
	CALL FMUL

#define SQR(a) \
	LEAQ a(0), SI \
	CALL FSQR

// COPY moves 32 bytes at offset o of (AX) into the frame.
#define COPY(o, m) \
	MOVQ o+0(AX), R8   \
	MOVQ o+8(AX), R9   \
	MOVQ o+16(AX), R10 \
	MOVQ o+24(AX), R11 \
	ST(m)

// OUT moves R8-R11 to offset o of (AX).
#define OUT(o) \
	MOVQ R8, o+0(AX)   \
	MOVQ R9, o+8(AX)   \
	MOVQ R10, o+16(AX) \
	MOVQ R11, o+24(AX)

// NEGATE makes m its negative when the word at n is not 0.
#define NEGATE(n, m) \
	XORL R8, R8   \
	XORL R9, R9   \
	XORL R10, R10 \
	XORL R11, R11 \
	SUBM(m)       \
	MOVQ n, AX    \
	TESTQ AX, AX  \
	CMOVQEQ m(0), R8   \
	CMOVQEQ m(8), R9   \
	CMOVQEQ m(16), R10 \
	CMOVQEQ m(24), R11 \
	ST(m)

#define x1(o) (32*0+o)(SP)
#define y1(o) (32*1+o)(SP)
#define z1(o) (32*2+o)(SP)

// Jacobian coordinates, for verification.

#define zz(o) (32*3+o)(SP)
#define yy(o) (32*4+o)(SP)
#define sl(o) (32*5+o)(SP)
#define s(o)  (32*6+o)(SP)
#define t(o)  (32*7+o)(SP)

// func double(p *jacobian, n int, k *constants)
//
// p <- 2^n * p, n at least 1, for a = -3 ("dbl-2001-b" of the
// Explicit-Formulas Database). p is not infinity.
TEXT DOUBLE(SB), 0, $264-24
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	COPY(0, x1)
	COPY(32, y1)
	COPY(64, z1)
	MOVQ CX, 256(SP)
again:
	SQR(z1)
	ST(zz)
	ADDM(x1)
	ST(t)
	LD(x1)
	SUBM(zz)
	ST(s)
	SQR(y1)
	ST(yy)
	MUL(s, t)
	ST(sl)
	TIMES3(sl)
	ST(sl)            // 3(x - z^2)(x + z^2)
	MUL(y1, z1)
	TIMES2
	ST(z1)
	MUL(x1, yy)
	TIMES4
	ST(s)             // 4xy^2
	TIMES2
	ST(t)
	SQR(yy)
	TIMES8
	ST(yy)            // 8y^4
	SQR(sl)
	SUBM(t)
	ST(x1)
	LD(s)
	SUBM(x1)
	ST(s)
	MUL(sl, s)
	SUBM(yy)
	ST(y1)
	DECQ 256(SP)
	JNE again
	MOVQ p+0(FP), AX
	OUT(32)
	LD(x1)
	OUT(0)
	LD(z1)
	OUT(64)
	RET

#undef yy
#undef sl
#undef s
#undef t

#define x2(o) (32*4+o)(SP)
#define y2(o) (32*5+o)(SP)
#define z2(o) (32*6+o)(SP)
#define u(o)  (32*7+o)(SP)
#define v(o)  (32*8+o)(SP)
#define h(o)  (32*9+o)(SP)
#define r(o)  (32*10+o)(SP)
#define h2(o) (32*11+o)(SP)
#define zp(o) (32*12+o)(SP)
#define zc(o) (32*13+o)(SP)
#define zd(o) (32*14+o)(SP)

// JOIN finishes p + q from u = x1*z2^2, v = y1*z2^3, h = x2*z1^2 - u,
// r = y2*z1^3 - v and zp = z1*z2, and writes it to p.
#define JOIN \
	SQR(h)     \
	ST(h2)     \
	MUL(u, h2) \
	ST(u)      \
	MUL(h, h2) \
	ST(h2)     \
	MUL(zp, h) \
	MOVQ p+0(FP), AX \
	OUT(64)    \
	LD(u)      \
	TIMES2         \
	ADDM(h2)   \
	ST(h)      \
	SQR(r)     \
	SUBM(h)    \
	MOVQ p+0(FP), AX \
	OUT(0)     \
	ST(h)      \
	LD(u)      \
	SUBM(h)    \
	ST(u)      \
	MUL(v, h2) \
	ST(h2)     \
	MUL(r, u)  \
	SUBM(h2)   \
	MOVQ p+0(FP), AX \
	OUT(32)

// func addAffine(p *jacobian, q *field.Pair, negate uint64, k *constants) (done uint64)
//
// p <- p + q, or p - q when negate is not 0, and returns 1. When the two have
// the same x it leaves p and returns 0. p is not infinity.
TEXT ADDAFFINE(SB), 0, $416-40
	MOVQ p+0(FP), AX
	MOVQ k+24(FP), DI
	COPY(0, u)
	COPY(32, v)
	COPY(64, zp)
	MOVQ q+8(FP), AX
	COPY(0, x2)
	COPY(32, y2)
	NEGATE(negate+16(FP), y2)
	SQR(zp)
	ST(zz)
	MUL(x2, zz)
	SUBM(u)
	ST(h)
	ZEROTEST
	TESTQ AX, AX
	JEQ same
	MUL(zz, zp)
	ST(zz)
	MUL(y2, zz)
	SUBM(v)
	ST(r)
	JOIN
	MOVQ $1, done+32(FP)
	RET
same:
	MOVQ $0, done+32(FP)
	RET

// func addCached(p *jacobian, q *cached, negate uint64, k *constants) (done uint64)
//
// As addAffine, for a q with Z, Z^2 and Z^3.
TEXT ADDCACHED(SB), 0, $480-40
	MOVQ p+0(FP), AX
	MOVQ k+24(FP), DI
	COPY(0, x1)
	COPY(32, y1)
	COPY(64, z1)
	MOVQ q+8(FP), AX
	COPY(0, x2)
	COPY(32, y2)
	COPY(64, z2)
	COPY(96, zc)
	COPY(128, zd)
	NEGATE(negate+16(FP), y2)
	SQR(z1)
	ST(zz)
	MUL(x1, zc)
	ST(u)
	MUL(x2, zz)
	SUBM(u)
	ST(h)
	ZEROTEST
	TESTQ AX, AX
	JEQ same
	MUL(zz, z1)
	ST(zz)
	MUL(y1, zd)
	ST(v)
	MUL(y2, zz)
	SUBM(v)
	ST(r)
	MUL(z1, z2)
	ST(zp)
	JOIN
	MOVQ $1, done+32(FP)
	RET
same:
	MOVQ $0, done+32(FP)
	RET

#undef zz
#undef x2
#undef y2
#undef z2
#undef u
#undef v
#undef h
#undef r
#undef h2
#undef zp
#undef zc
#undef zd

// Homogeneous coordinates and complete formulas, for secret scalars (Renes,
// Costello, Batina 2016, algorithms 4 to 6, as in point.go).

#define x2(o) (32*3+o)(SP)
#define y2(o) (32*4+o)(SP)
#define z2(o) (32*5+o)(SP)
#define xx(o) (32*6+o)(SP)
#define yy(o) (32*7+o)(SP)
#define zz(o) (32*8+o)(SP)
#define xy(o) (32*9+o)(SP)
#define xz(o) (32*10+o)(SP)
#define yz(o) (32*11+o)(SP)
#define u(o)  (32*12+o)(SP)
#define w(o)  (32*13+o)(SP)
#define t(o)  (32*14+o)(SP)

// TERMS makes of xx, zz and xz the three terms u, xx = v and w of point.go,
// and of yy the sum yy + u and the difference zz = yy - u. Each use of zz as
// a term comes before.
#define TERMS \
	BMUL(xz)   \
	ST(w)      \
	BMUL(zz)   \
	ST(t)      \
	LD(xz)     \
	SUBM(t)    \
	ST(u)      \
	TIMES3(u)      \
	ST(u)      \
	LD(zz)     \
	TIMES3(zz)     \
	ST(zz)     \
	LD(w)      \
	SUBM(zz)   \
	SUBM(xx)   \
	ST(w)      \
	TIMES3(w)      \
	ST(w)      \
	LD(xx)     \
	TIMES3(xx)     \
	SUBM(zz)   \
	ST(xx)     \
	LD(yy)     \
	SUBM(u)    \
	ST(zz)     \
	LD(yy)     \
	ADDM(u)    \
	ST(u)

// PRODUCTS leaves in x2 and y2 the X and Y of the result, from u = sum,
// zz = difference, xx = v, and w.
#define PRODUCTS \
	MUL(yz, w)  \
	ST(t)       \
	MUL(xy, u)  \
	SUBM(t)     \
	ST(x2)      \
	MUL(xx, w)  \
	ST(t)       \
	MUL(u, zz)  \
	ADDM(t)     \
	ST(y2)

// LASTZ leaves Z in R8-R11.
#define LASTZ \
	MUL(xy, xx) \
	ST(t)       \
	MUL(yz, zz) \
	ADDM(t)

// func doubleComplete(p *point, n int, k *constants)
//
// p <- 2^n * p, n at least 1.
TEXT DOUBLECOMPLETE(SB), 0, $488-24
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	COPY(0, x1)
	COPY(32, y1)
	COPY(64, z1)
	MOVQ CX, 480(SP)
again:
	SQR(x1)
	ST(xx)
	SQR(y1)
	ST(yy)
	ST(z2)
	SQR(z1)
	ST(zz)
	MUL(x1, y1)
	TIMES2
	ST(xy)
	MUL(x1, z1)
	TIMES2
	ST(xz)
	MUL(y1, z1)
	TIMES2
	ST(yz)
	TERMS
	PRODUCTS
	MUL(yz, z2)
	TIMES4
	ST(z1)
	LD(x2)
	ST(x1)
	LD(y2)
	ST(y1)
	DECQ 480(SP)
	JNE again
	MOVQ p+0(FP), AX
	OUT(32)
	LD(x1)
	OUT(0)
	LD(z1)
	OUT(64)
	RET

// func addComplete(p, q *point, k *constants)
//
// p <- p + q for any two points.
TEXT ADDCOMPLETE(SB), 0, $480-24
	MOVQ p+0(FP), AX
	MOVQ k+16(FP), DI
	COPY(0, x1)
	COPY(32, y1)
	COPY(64, z1)
	MOVQ q+8(FP), AX
	COPY(0, x2)
	COPY(32, y2)
	COPY(64, z2)
	MUL(x1, x2)
	ST(xx)
	MUL(y1, y2)
	ST(yy)
	MUL(z1, z2)
	ST(zz)
	LD(x1)
	ADDM(y1)
	ST(u)
	LD(x2)
	ADDM(y2)
	ST(w)
	MUL(u, w)
	SUBM(xx)
	SUBM(yy)
	ST(xy)
	LD(x1)
	ADDM(z1)
	ST(u)
	LD(x2)
	ADDM(z2)
	ST(w)
	MUL(u, w)
	SUBM(xx)
	SUBM(zz)
	ST(xz)
	LD(y1)
	ADDM(z1)
	ST(u)
	LD(y2)
	ADDM(z2)
	ST(w)
	MUL(u, w)
	SUBM(yy)
	SUBM(zz)
	ST(yz)
	TERMS
	PRODUCTS
	LASTZ
	MOVQ p+0(FP), AX
	OUT(64)
	LD(x2)
	OUT(0)
	LD(y2)
	OUT(32)
	RET

// func addWindow(p *point, table *field.Pair, n int, size, negative uint64, k *constants)
//
// p <- p + d*Q, where table holds Q, 2Q, ... nQ and d is size, or -size when
// negative is not 0. size is 0 to n. It reads the whole table.
TEXT ADDWINDOW(SB), 0, $480-48
	MOVQ table+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ size+24(FP), AX
	MOVQ k+40(FP), DI
	VMOVQ AX, X2
	VPBROADCASTQ X2, Y2
	MOVQ $1, AX
	VMOVQ AX, X3
	VPBROADCASTQ X3, Y3
	VMOVDQA Y3, Y4
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
entry:
	VPCMPEQQ Y2, Y3, Y5
	VPADDQ Y4, Y3, Y3
	VPAND (SI), Y5, Y6
	VPAND 32(SI), Y5, Y7
	VPOR Y6, Y0, Y0
	VPOR Y7, Y1, Y1
	ADDQ $64, SI
	DECQ CX
	JNE entry
	VMOVDQU Y0, x2(0)
	VMOVDQU Y1, y2(0)
	VZEROUPPER
	MOVQ p+0(FP), AX
	COPY(0, x1)
	COPY(32, y1)
	COPY(64, z1)
	ST(zz)
	NEGATE(negative+32(FP), y2)
	MUL(x1, x2)
	ST(xx)
	MUL(y1, y2)
	ST(yy)
	LD(x1)
	ADDM(y1)
	ST(u)
	LD(x2)
	ADDM(y2)
	ST(w)
	MUL(u, w)
	SUBM(xx)
	SUBM(yy)
	ST(xy)
	MUL(x2, z1)
	ADDM(x1)
	ST(xz)
	MUL(y2, z1)
	ADDM(y1)
	ST(yz)
	TERMS
	PRODUCTS
	LASTZ

	// The sum with digit 0, which has no affine point, is nonsense and dropped.
	MOVQ p+0(FP), AX
	MOVQ size+24(FP), CX
	TESTQ CX, CX
	CMOVQEQ z1(0), R8
	CMOVQEQ z1(8), R9
	CMOVQEQ z1(16), R10
	CMOVQEQ z1(24), R11
	OUT(64)
	LD(x2)
	CMOVQEQ x1(0), R8
	CMOVQEQ x1(8), R9
	CMOVQEQ x1(16), R10
	CMOVQEQ x1(24), R11
	OUT(0)
	LD(y2)
	CMOVQEQ y1(0), R8
	CMOVQEQ y1(8), R9
	CMOVQEQ y1(16), R10
	CMOVQEQ y1(24), R11
	OUT(32)
	RET
