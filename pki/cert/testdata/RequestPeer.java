import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Date;

import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.pkcs.Attribute;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.CertificatePolicies;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.PolicyInformation;
import org.bouncycastle.asn1.x509.PolicyQualifierId;
import org.bouncycastle.asn1.x509.PolicyQualifierInfo;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;

/**
 * Makes and reads requests for certificates with BouncyCastle's classes in the
 * O'z DSt and O'z MSt families. One question a line, one answer a line; octets
 * and texts are base64, "." is nothing.
 *
 *   make FAMILY D SUBJECT SPKI POLICY[,POLICY...]   -> ok REQUEST
 *   read FAMILY REQUEST   -> ok SIGNED SUBJECT SPKI ATTRIBUTES CRITICAL POLICY=NOTICE[,...]
 */
public class RequestPeer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                String[] f = line.split(" ");
                answer = "ok " + (f[0].equals("make") ? make(f) : read(f));
            } catch (Exception e) {
                answer = "error " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static String make(String[] f) throws Exception {
        X500Name subject = new X500Name(BCStyle.INSTANCE, new String(Family.decode(f[3]), StandardCharsets.UTF_8));
        PKCS10CertificationRequestBuilder b = new PKCS10CertificationRequestBuilder(subject, SubjectPublicKeyInfo.getInstance(Family.decode(f[4])));
        if (!f[5].equals(".")) {
            ASN1EncodableVector policies = new ASN1EncodableVector();
            for (String oid : f[5].split(",")) {
                PolicyQualifierInfo notice = new PolicyQualifierInfo(PolicyQualifierId.id_qt_unotice, new DERSequence(new DERUTF8String(oid)));
                policies.add(new PolicyInformation(new ASN1ObjectIdentifier(oid), new DERSequence(notice)));
            }
            b.addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, new Extensions(
                new Extension(Extension.certificatePolicies, true, new DERSequence(policies).getEncoded())));
        }
        return Family.encode(b.build(new Family(f[1]).signer(new BigInteger(1, Family.decode(f[2])))).getEncoded());
    }

    static String read(String[] f) throws Exception {
        Family family = new Family(f[1]);
        PKCS10CertificationRequest r = new PKCS10CertificationRequest(Family.decode(f[2]));
        // The verifier takes its key from a certificate.
        X509CertificateHolder holder = new X509v3CertificateBuilder(r.getSubject(), BigInteger.ONE, new Date(), new Date(), r.getSubject(),
            r.getSubjectPublicKeyInfo()).build(family.signer(BigInteger.ONE));
        StringBuilder out = new StringBuilder();
        out.append(r.isSignatureValid(family.verifier(holder)))
            .append(' ').append(Family.encode(r.getSubject().toString().getBytes(StandardCharsets.UTF_8)))
            .append(' ').append(Family.encode(r.getSubjectPublicKeyInfo().getEncoded()))
            .append(' ').append(r.getAttributes().length);
        Attribute[] requests = r.getAttributes(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest);
        if (requests.length == 0) {
            return out.append(" - -").toString();
        }
        Extension x = Extensions.getInstance(requests[0].getAttrValues().getObjectAt(0)).getExtension(Extension.certificatePolicies);
        out.append(' ').append(x.isCritical());
        String separator = " ";
        for (PolicyInformation p : CertificatePolicies.getInstance(x.getParsedValue()).getPolicyInformation()) {
            PolicyQualifierInfo q = PolicyQualifierInfo.getInstance(p.getPolicyQualifiers().getObjectAt(0));
            if (!q.getPolicyQualifierId().equals(PolicyQualifierId.id_qt_unotice)) {
                throw new IllegalArgumentException("qualifier " + q.getPolicyQualifierId());
            }
            out.append(separator).append(p.getPolicyIdentifier()).append('=')
                .append(DERUTF8String.getInstance(org.bouncycastle.asn1.ASN1Sequence.getInstance(q.getQualifier()).getObjectAt(0)).getString());
            separator = ",";
        }
        return out.toString();
    }
}
